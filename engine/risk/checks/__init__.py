"""The questions of the gate: small functions from what they read to a finding, or None.

None means that the question does not arise. A function never asks whether its limit exists: a row
of the gate whose limit is off is not asked (`engine.risk.gate`).
"""
