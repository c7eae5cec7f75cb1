"""The panels of the Space Editor, one for each step of the work, and of the traversal.

Panels are pure views: they know neither viewer nor session nor network, show the
plain values that they are given and emit signals. Every one takes a
`views.palette.Palette`, follows a change of theme through `set_theme`, and is
switched off as a whole with `set_enabled(False, reason)`. What only sets something
for the next run stays open then; what acts is disabled, with the reason in its
tooltip.
"""
