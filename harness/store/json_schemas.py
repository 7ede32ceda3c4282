"""JSON Schemas of what is stored, made from its types; `python -m dtbench.harness.store.json_schemas` writes them."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

from dtbench.harness.store import (
    acoustic_types,
    claim_types,
    comparison_types,
    faithful_types,
    judged_types,
    lens_probe_types,
    measure_types,
    paper_types,
    question_types,
    robustness_types,
    share_types,
    states_probe_types,
    subset_types,
    summary_types,
    table_types,
    types,
    weight_probe_types,
)

FOLDER = Path(__file__).parent / "schemas"
KINDS: dict[str, tuple[Any, ...]] = {
    "run": (types.RunInfo, types.JudgeInfo, types.CotInfo, types.FaithfulInfo),
    "shard": (types.ShardInfo,),
    "record": (types.Record, judged_types.JudgeRecord, types.CotRecord, faithful_types.FaithfulRecord),
    "question": (question_types.QuestionRecord,),
    "summary": (
        summary_types.Summary,
        judged_types.JudgeSummary,
        judged_types.AnswerSummary,
        judged_types.CalibrationSummary,
        summary_types.CotSummary,
    ),
    "comparison": (list[comparison_types.ComparisonAmongSeveral],),
    "table": (list[table_types.ResultTable],),
    "faithful": (faithful_types.FaithfulSummary,),
    "picture": (table_types.WrittenPicture,),
    "measures": (measure_types.ModelMeasures,),
    "subset": (subset_types.QuestionSubset,),
    "trained": (claim_types.TrainedResult,),
    "claims": (list[claim_types.ClaimResult],),
    "probe-weights": (weight_probe_types.WeightProbe,),
    "probe-lens": (lens_probe_types.LensFigures, lens_probe_types.LensReading),
    "probe-states": (states_probe_types.StatesProbe,),
}
_OPEN = ("TaskSummary",)
"""What a task may add keys of its own to."""


def schema_text(name: str) -> str:
    """Return one of KINDS as the file of its JSON Schema."""
    import msgspec

    parts, definitions = msgspec.json.schema_components(KINDS[name], ref_template="#/$defs/{name}")
    docs = _field_docs()
    for title, part in definitions.items():
        if "properties" in part:
            part["additionalProperties"] = title in _OPEN
            for field, description in docs.get(title, {}).items():
                part["properties"][field]["description"] = description
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"dtbench {name}"}
    one: dict[str, Any] = {"anyOf": list(parts)} if len(parts) > 1 else dict(parts[0])
    return json.dumps({**head, **one, "$defs": dict(sorted(definitions.items()))}, indent=1) + "\n"


def _field_docs() -> dict[str, dict[str, str]]:
    """Type -> field -> the text under it in the source, inherited ones too."""
    docs: dict[str, dict[str, str]] = {}
    modules = (acoustic_types, comparison_types, paper_types, question_types, share_types, summary_types, table_types)
    later = (claim_types, faithful_types, measure_types, robustness_types, subset_types)
    probes = (lens_probe_types, states_probe_types, weight_probe_types)
    for module in (types, *later, *probes, *modules):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                own = docs[node.name] = {}
                for base in node.bases:
                    own |= docs.get(base.id, {}) if isinstance(base, ast.Name) else {}
                for field, text in itertools.pairwise(node.body):
                    if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                        own[ast.unparse(field.target)] = ast.literal_eval(text.value)
    return docs


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind}.schema.json").write_text(schema_text(kind), encoding="utf-8")
