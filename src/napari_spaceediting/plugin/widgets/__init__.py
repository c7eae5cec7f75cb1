"""General pieces of a window: they know neither viewer, session nor network.

They show the plain values that they are given and emit signals. `controls.dress` lets
those with a role look as `look.qss` says, and gives what paints itself the `Palette`.
"""
