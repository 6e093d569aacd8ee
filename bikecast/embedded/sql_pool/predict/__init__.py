"""PREDICT: what a model asks for, and scoring with ONNX Runtime."""
