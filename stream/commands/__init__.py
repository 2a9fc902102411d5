"""The commands, one module each. Every module has ``command(arguments) -> exit code``; `stream.cli` finds it by name.

They are loaded only when they are called: ``streamgauge --help`` must not wait for Faust and scipy.
"""
