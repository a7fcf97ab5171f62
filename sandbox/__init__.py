"""A local stand-in of Globus Auth, Transfer and Groups. It is not Globus.

Strict where Globus is strict, so that software which works here works there.
Runs alone: own settings, own database file, nothing of the portal is imported.
"""
