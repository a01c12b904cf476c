"""What the adapters of real venues share: a request that is sent once, a stream that never comes
back by itself, a budget of requests, and numbers from outside.

Nothing here knows a venue. An adapter says how its venue signs, refuses and beats; when to try
again is the engine's business (U-61).
"""
