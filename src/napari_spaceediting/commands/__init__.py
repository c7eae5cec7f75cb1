"""The command line: the same work as in the window, without one.

Exit codes: 0 done; 1 the input, the session or an edit cannot be used; 2 the command
is not understood; 3 a training or a map failed; 130 interrupted.

What was done is told on the standard output, progress and errors on the standard
error. With ``--json -`` nothing but the JSON is on the standard output.
"""
