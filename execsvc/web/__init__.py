"""The HTTP door: probes and metrics for machines; the console and the Connect door come here later."""
