"""Recording answer keys: what the reference gives in every case, and what each known mistake gives instead."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from autograder.build.answers import namespace_with
from autograder.build.master import Master, reference_code
from autograder.grading.cells import new_namespace, run_cell
from autograder.paths import FULL_KEYS, PUBLIC_KEYS, ROOT, UserError
from autograder.specs.spec import Case, Exercise, Part, reference_files, working_folder
from dlcourse.checks.compare import difference
from dlcourse.checks.isolation import clean_state
from dlcourse.checks.key import KeyMissing, read_key
from dlcourse.checks.probe import find_probe, observe_case
from dlcourse.checks.verdict import UNUSABLE, facts, wrong_fields
from dlcourse.checks.wire import encode

ENGINE = ("compare", "isolation", "observe", "probe", "quiz", "watch", "wire")
CHECKS = ROOT / "dlcourse" / "checks"
DRIFT = 1e-4  # recorded numbers may differ by this much between machines without making a key stale


@dataclass(frozen=True)
class Recorded:
    """The keys of one exercise."""

    exercise: str
    full: bytes
    public: bytes


def fingerprint(master: Master, exercise: Exercise) -> str:
    """A hash of all that a key is recorded from: the answer, the cells before it, the cases, the probes and the engine."""
    parts = [exercise_text(exercise)]
    for cell in master.cells:
        if cell.kind == "code" and "demo" not in cell.tags:
            parts.append(cell.source)
        if cell.exercise == exercise.id:
            break
    for path in [*probe_files(master.slug), *(CHECKS / f"{name}.py" for name in ENGINE)]:
        parts.append(path.read_text())
    for name, path in reference_files(master.slug).items():
        parts.append(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else 'missing'}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def probe_files(slug: str) -> list[Path]:
    """The file with a notebook's probes, and those of other probes that it imports from."""
    files = [CHECKS / "probes" / f"n{slug}.py"]
    for path in files:  # grows while it is read
        for name in re.findall(r"^from dlcourse\.checks\.probes\.(\w+) import", path.read_text(), re.MULTILINE):
            if (imported := CHECKS / "probes" / f"{name}.py") not in files:
                files.append(imported)
    return files


def exercise_text(exercise: Exercise) -> str:
    """An exercise's spec as text that changes when anything in it does."""
    cases = [[case.label, case.inputs, case.secret] for part in exercise.parts for case in [*part.public, *part.hidden]]
    parts = [
        (part.name, part.probe, part.share, part.tolerance, part.advice, part.explanation) for part in exercise.parts
    ]
    return (
        repr((exercise.id, exercise.points, exercise.kind, exercise.seconds, parts, exercise.misconceptions))
        + encode(cases).hex()
    )


def record_notebook(master: Master, exercises: list[Exercise], force: bool = False, progress=None) -> list[Recorded]:
    """Record the keys of a notebook; those whose fingerprint has not changed are taken as they are.

    Args:
        master: the notebook.
        exercises: its specs.
        force: record all of them anew.
        progress: called after each exercise.

    Raises:
        UserError: the reference answer fails, or a misconception no longer applies, is rejected by no case, or cannot be told from the
            reference.
    """
    by_id = {exercise.id: exercise for exercise in exercises if exercise.kind != "written"}
    if strangers := set(by_id) - set(master.exercises()):
        raise UserError(f"{master.slug}: the spec has exercises without an answer cell: {', '.join(sorted(strangers))}")
    kept = {name: None if force else kept_key(master, exercise) for name, exercise in by_id.items()}
    with working_folder(master.slug):
        return _record_cells(master, by_id, kept, progress)


def _record_cells(master: Master, by_id: dict[str, Exercise], kept: dict, progress) -> list[Recorded]:
    """Run the reference cell by cell, and record each exercise that has no key to keep when its cell has run."""
    stale = {name for name, keys in kept.items() if keys is None}
    namespace, recorded = (new_namespace() if stale else {}), []
    for cell in master.cells:
        if cell.kind != "code" or "demo" in cell.tags:
            continue
        before = dict(namespace)
        if stale:
            run_cell(reference_code(cell), cell.exercise or "setup", namespace)
        if cell.exercise in stale:
            recorded.append(_record(master, by_id[cell.exercise], before, namespace))
        elif cell.exercise in by_id:
            recorded.append(Recorded(cell.exercise, *kept[cell.exercise]))
        if progress and cell.exercise:
            progress()
    return recorded


def key_paths(slug: str, exercise: str) -> tuple[Path, Path]:
    """Where the full and the public key of an exercise lie."""
    return FULL_KEYS / slug / f"{exercise}.key", PUBLIC_KEYS / slug / f"{exercise}.key"


def kept_key(master: Master, exercise: Exercise) -> tuple[bytes, bytes] | None:
    """The two keys on disk, if they were made from just what is there now."""
    paths = key_paths(master.slug, exercise.id)
    try:
        made_from = {read_key(path)["made_from"] for path in paths}
    except KeyMissing:
        return None
    return tuple(path.read_bytes() for path in paths) if made_from == {fingerprint(master, exercise)} else None


def _record(master: Master, exercise: Exercise, before: dict, namespace: dict) -> Recorded:
    answer = reference_code(master.answer(exercise.id))
    parts = [_part_key(master, exercise, part, namespace) for part in exercise.parts]
    settings = {(): before}
    for variant, misconception in enumerate(exercise.misconceptions):
        try:
            wrong_answer = misconception.apply(answer)
        except ValueError as error:
            raise UserError(f"{master.slug}, {exercise.id}: {error}") from None
        if misconception.earlier not in settings:
            settings[misconception.earlier] = namespace_with(master, {}, misconception.earlier, before=exercise.id)
        wrong_namespace = dict(settings[misconception.earlier])
        with clean_state():
            run_cell(wrong_answer, f"{exercise.id}, {misconception.id}", wrong_namespace)
        if not _add_wrong(master, exercise, parts, variant, wrong_namespace):
            raise UserError(
                f'{master.slug}, {exercise.id}: no case rejects the misconception "{misconception.id}"; add a case, or remove it'
            )
    key = {
        "id": exercise.id, "notebook": master.slug, "kind": exercise.kind, "points": exercise.points, "seconds": exercise.seconds,
        "made_from": fingerprint(master, exercise),
        "misconceptions": [{"id": entry.id, "says": entry.says} for entry in exercise.misconceptions],
        "parts": parts,
    }  # fmt: skip
    key = _settled(key, exercise.id)
    return Recorded(exercise.id, encode(key), encode(public_key(key)))


def public_key(key: dict) -> dict:
    """A key without its hidden cases."""
    parts = [{**part, "cases": [case for case in part["cases"] if not case["hidden"]]} for part in key["parts"]]
    return {**key, "parts": parts}


def _settled(key: dict, exercise: str) -> dict:
    """The numbers of the key on disk, where the new ones agree with them but for rounding: else every machine would write its own."""
    try:
        old = read_key(key_paths(key["notebook"], exercise)[0])
    except KeyMissing:
        return key
    same = difference({**old, "made_from": ""}, {**key, "made_from": ""}, DRIFT) is None
    return {**old, "made_from": key["made_from"]} if same else key


def _part_key(master: Master, exercise: Exercise, part: Part, namespace: dict) -> dict:
    cases = []
    for case, hidden in [*((case, False) for case in part.public), *((case, True) for case in part.hidden)]:
        expected = _observe(master, exercise, part.probe, case, namespace)
        if isinstance(expected, str):
            raise UserError(f"{master.slug}, {exercise.id}, {case.label!r}: the reference answer fails: {expected}")
        cases.append({
            "label": case.label, "hidden": hidden, "inputs": case.inputs, "secret": case.secret, "expected": expected, "wrong": {},
        })  # fmt: skip
    return {
        "name": part.name, "probe": part.probe, "share": part.share, "tolerance": part.tolerance,
        "advice": part.advice, "explanation": part.explanation, "cases": cases,
    }  # fmt: skip


def _observe(master: Master, exercise: Exercise, probe_name: str, case: Case, namespace: dict) -> dict | str:
    """The facts of a case, or the sentence that says why there are none."""
    probe = find_probe(master.slug, probe_name)
    outcome = observe_case(probe, namespace, case.inputs, exercise.seconds)
    if "observed" not in outcome:
        return repr(outcome)
    fields = facts(probe, outcome, case.secret)
    return str(fields[UNUSABLE]) if UNUSABLE in fields else fields


def _add_wrong(master: Master, exercise: Exercise, parts: list[dict], variant: int, namespace: dict) -> bool:
    """Note what a mistake gives in the cases that reject it; whether any does."""
    rejected = False
    for part, part_key in zip(exercise.parts, parts, strict=True):
        probe = find_probe(master.slug, part.probe)
        for case in part_key["cases"]:
            outcome = observe_case(probe, namespace, case["inputs"], exercise.seconds)
            fields = facts(probe, outcome, case["secret"])
            if names := wrong_fields(fields, case["expected"], part.tolerance):
                case["wrong"][str(variant)] = {name: fields.get(name) for name in names}
                rejected = True
    return rejected
