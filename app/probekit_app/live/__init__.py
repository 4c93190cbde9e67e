"""The live lens: a model in a process of its own, asked one text at a time.

``worker`` is that process, ``child`` holds it from here, ``readings`` keeps requests in order,
``routes`` are the addresses that the page asks. JSON lines over pipes, never pickle. The model is
loaded at the first request; nothing here is loaded by a workbench without ``--model``.
"""
