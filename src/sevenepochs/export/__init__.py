"""Finished runs for other people's tools: a transformers folder (hf.py) or an ONNX graph (onnx.py).

What is written is loaded again and asked on a probe; where its logits differ from ours by more than 1e-4 nothing stays.
Weights are safetensors or ONNX initialisers; nothing is ever unpickled.
"""
