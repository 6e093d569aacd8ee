"""ONNX models: what is accepted, and how one is loaded and scored."""
