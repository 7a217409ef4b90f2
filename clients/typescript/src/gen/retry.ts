// Written by tools/gen_clients.py from clients/retry.json. DO NOT EDIT.

export const serviceConfig = {
  "methodConfig": [
    {
      "name": [{}],
      "waitForReady": false,
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.05s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
      }
    }
  ]
} as const;
