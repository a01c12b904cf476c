"""The trading engine: domain, rules, the loop that runs them, and the ports it needs."""
