"""Seeded chance, behind ports.Entropy: the same seed and name give the same draws, whatever other branches draw."""

import random


class SeededEntropy:
    def __init__(self, seed=1, name=""):
        self._seed = seed
        self._name = name
        self._random = random.Random(f"{seed}/{name}")

    def token(self, size):
        return self._random.randbytes(size)

    def uniform(self):
        return self._random.random()

    def branch(self, name):
        return SeededEntropy(self._seed, f"{self._name}/{name}")


class FixedEntropy:
    """Always the same draw."""

    def __init__(self, value=0.5):
        self._value = value

    def token(self, size):
        return bytes(size)

    def uniform(self):
        return self._value

    def branch(self, name):
        return self


def stream(seed, *names):
    """The random numbers of one purpose: a new draw in one stream shifts no other."""
    return random.Random(f"{seed}/{'/'.join(map(str, names))}")
