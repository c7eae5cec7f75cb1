"""General pieces of a window: they know neither viewer, session nor network.

They show the plain values that they are given and emit signals. Every one takes a
`palette.Palette` and follows a change of theme through `set_theme`.
"""
