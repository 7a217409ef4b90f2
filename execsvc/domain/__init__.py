"""Values and rules of the house: money, instruments, orders, verdicts, errors.

Nothing here awaits, reads a clock, draws a random number or knows a wire format: every function is a pure decision
over frozen values, so each rule can be tested alone and replayed in simulation.
"""
