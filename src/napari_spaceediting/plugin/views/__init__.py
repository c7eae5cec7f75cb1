"""Pure Qt views: they show what they are given and emit signals.

No view knows the viewer, the session or the network. Every view takes a
`palette.Palette` and follows a change of theme through its `set_theme`.
"""
