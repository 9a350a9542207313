"""The embedded servers behind ``make run`` and the tests: one job a module, no other wiring.

``stack`` joins them; ``layout`` says where things lie; ``processes`` starts, finds and stops; ``supervisor`` restarts
what died; ``postgres``, ``milvus``, ``valkey`` and ``objects`` each describe one server.
"""
