"""What every study's part ends with: failures, workers, settings, versions, commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hpo.reporting.analysis import Analysis
from hpo.reporting.html import Html, code, details, facts, join, paragraph, section, table
from hpo.reporting.records import StudyRecord
from hpo.reporting.sections.drawn import Drawn
from hpo.reporting.study_text import study_file_text
from hpo.reporting.texts import commands
from hpo.reporting.trials import Failure, workers
from hpo.reporting.units import duration, plural

MAX_FAILURES = 50


def appendix(analysis: Analysis, drawn: Drawn) -> Html:
    """Failures, timeline, where it ran, settings, commands."""
    record = analysis.record
    return join(
        (
            section("Failures", _listing(analysis.failures)),
            section("Given back and lost", *_interrupted(analysis.interruptions)),
            section("Timeline", drawn.plot("timeline", _timeline_note(record)), _workers(record)),
            section("Settings", *_settings(record)),
            section("Run it again", *_commands(analysis)),
        )
    )


def _interrupted(found: Sequence[Failure]) -> list[Html]:
    if not found:
        return []
    note = (
        "These trials ended without a fault of their own: the run was stopped, or their worker was "
        "gone. Their points are evaluated by other trials."
    )
    return [paragraph(note, class_="soft"), details(plural(len(found), "trial"), _listing(found))]


def _listing(found: Sequence[Failure]) -> Html:
    rows = [
        (
            failure.trial.number,
            failure.trial.worker,
            failure.reason,
            "yes" if failure.was_repeated else "no",
        )
        for failure in found[:MAX_FAILURES]
    ]
    if not rows:
        return Html()
    reasons = Counter(failure.reason for failure in found)
    most = "; ".join(f"{n:,} × {reason}" for reason, n in reasons.most_common(5))
    caption = f"The first {MAX_FAILURES} of {len(found):,}. Most frequent: {most}."
    return table(
        ("trial", "worker", "reason", "evaluated again"),
        rows,
        numeric=(0,),
        caption=caption if len(found) > MAX_FAILURES else "",
    )


def _timeline_note(record: StudyRecord) -> str:
    if any(trial.worker for trial in record.trials):
        return "One row a worker, one bar a trial."
    return "One row a trial; the study does not tell its workers."


def _workers(record: StudyRecord) -> Html:
    rows = [
        (row["worker"], row["device"] or "–", row["trials"], duration(row["run_time_s"]))
        for row in workers(record)
    ]
    if not rows:
        return Html()
    listed = table(("worker", "device", "trials", "time in trials"), rows, numeric=(2, 3))
    return listed if len(rows) <= 8 else details(plural(len(rows), "worker"), listed)


def _settings(record: StudyRecord) -> list[Html]:
    pairs = facts(
        (
            ("objective", record.file.get("objective", "")),
            ("study seed", str(record.file.get("seed", ""))),
            ("trial seeds", _seeds(record)),
            ("devices", _listed(trial.device for trial in record.trials)),
            ("engines", _listed(trial.engine for trial in record.trials)),
            ("largest memory of a trial", _memory(record)),
            ("storage", record.storage),
            ("versions", _versions(record)),
        )
    )
    parts = [pairs]
    if record.file:
        text = study_file_text(record.file)
        parts.append(details("study.yaml: the file that makes this study again", code(text)))
    if record.objective:
        parts.append(details("The objective as it ran", code(record.objective)))
    return parts


def _seeds(record: StudyRecord) -> str:
    seeds = sorted({trial.seed for trial in record.trials if trial.seed is not None})
    if len(seeds) > 12:
        return f"{len(seeds):,} different ones, one for each point"
    return ", ".join(map(str, seeds))


def _listed(texts: Any) -> str:
    counts = Counter(text for text in texts if text)
    return ", ".join(f"{text} ({plural(n, 'trial')})" for text, n in sorted(counts.items()))


def _memory(record: StudyRecord) -> str:
    peaks = [trial.peak_memory_mib for trial in record.trials if trial.peak_memory_mib]
    return f"{max(peaks):,.0f} MiB" if peaks else ""


def _versions(record: StudyRecord) -> str:
    told = dict(record.environment)
    if not told:
        return "not recorded"
    return ", ".join(f"{name} {version}" for name, version in told.items())


def _commands(analysis: Analysis) -> list[Html]:
    lines = commands(analysis)
    text = "\n".join(f"# {purpose}\n{command}" for command, purpose in lines)
    return [paragraph("To be run in the project folder:"), code(text)]
