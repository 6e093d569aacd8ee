"""Versions of the ONNX format that the exporters can write, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass

#: Opset -> the oldest IR version that may carry it (ONNX's table of versions).
OPSETS = {9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8}
#: The same for ai.onnx.ml; from 2 on, LabelEncoder is written in its newer form.
ML_OPSETS = {1: 4, 2: 6, 3: 8}
NEWEST_IR_VERSION = 10


@dataclass(frozen=True)
class OnnxVersions:
    """Opset, ai.onnx.ml opset and IR version of a model; the defaults are what PREDICT takes."""

    opset: int = 9
    ml_opset: int = 1
    ir_version: int = 4

    def problems(self) -> list[str]:
        """What the exporters cannot write and what does not go together; empty if all is well."""
        problems = []
        for name, value, supported in (
            ("onnx_opset", self.opset, OPSETS),
            ("onnx_ml_opset", self.ml_opset, ML_OPSETS),
        ):
            if value not in supported:
                problems.append(f"{name} is {value}, not {min(supported)} to {max(supported)}")
        oldest = max(OPSETS.get(self.opset, 4), ML_OPSETS.get(self.ml_opset, 4))
        if not oldest <= self.ir_version <= NEWEST_IR_VERSION:
            problems.append(
                f"onnx_ir_version is {self.ir_version}, not {oldest} to {NEWEST_IR_VERSION}, "
                "which the opsets need"
            )
        return problems
