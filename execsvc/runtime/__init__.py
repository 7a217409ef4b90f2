"""The real world, thin: clock, chance, HTTP, WebSocket, tasks, logs, telemetry, secrets.

Each file meets one seam of execsvc.ports and decides nothing. Nobody but the composition root imports this room.
"""
