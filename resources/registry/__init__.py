"""The model registry: versions of an ONNX model; MLflow locally, Azure ML in azure."""
