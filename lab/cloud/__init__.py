"""The stand-ins for cloud services that nothing else provides on one machine, in one asyncio process.

A stand-in is a module or package with ``async def start(state) -> list``: it opens its own port and returns what
``serving.close`` can close. Its docstring lists the operations it covers and how it differs from the service.
"""
