"""Programs that run in the conversion environment, where PyTorch is (``torch_tools.py``). They import nothing of ours.

Each writes an ONNX file, and beside it what the original network answers to a fixed input, for the parity check.
"""
