"""What each command does: ask the bench if one lives, else look oneself, and print.

The rule: one room a noun; every command takes (arguments, state) and returns an exit code;
refusals are raised. What only one command needs is imported inside it: a command starts fast.
"""
