"""Notebook 9, the final project: points, parts and cases. Its misconceptions stand in n09_mistakes and n09_mistakes_options, its hidden
inputs in n09_hidden.

One key serves the three options: cases hold inputs for each of them, and the probes look at PROJECT. The points of `project_quality` are
given by hand, half of them after what `dlcourse.quality` found.
"""

from autograder.specs import n09_hidden, n09_mistakes, n09_mistakes_options
from autograder.specs.spec import Case, Exercise, Part

FILES = ("checkpoint.pt",)
REFERENCE_FILES = {"checkpoint.pt": "checkpoints/A.pt", "B.pt": "checkpoints/B.pt", "C.pt": "checkpoints/C.pt"}


def seeded(name, probe, share=1.0, labels=("one seed", "another seed"), advice="", **inputs):
    """A part with one public and one hidden case, which differ in what is drawn at random."""
    public, hidden = labels
    return Part(
        name, probe=probe, share=share, advice=advice,
        public=[Case(public, {"seed": 1, **inputs})], hidden=[Case(hidden, {"seed": 12, **inputs})],
    )  # fmt: skip


project_data = Exercise(
    "project_data",
    points=6,
    seconds=60,
    parts=[
        seeded("three parts that share nothing", "project_parts", share=2),
        seeded("what is learned from the data is learned from the training part", "project_statistics", share=2),
        seeded("augment, make_windows or encode", "project_step", share=2),
    ],
    misconceptions=n09_mistakes.DATA + n09_mistakes_options.DATA,
)

project_model = Exercise(
    "project_model",
    points=8,
    seconds=60,
    parts=[
        Part(
            "one row of raw scores, or one forecast, for each sample",
            probe="project_scores",
            share=3,
            public=[Case("a batch of 4", {"seed": 1, "size": 4})],
            hidden=[Case("a batch of 7", {"seed": 2, "size": 7})],
        ),
        seeded("the layers that are asked for", "project_layers", share=3),
        seeded("everything in it can be trained", "project_learning", share=2),
    ],
    misconceptions=n09_mistakes.MODEL + n09_mistakes_options.MODEL,
)

project_training = Exercise(
    "project_training",
    points=8,
    seconds=60,
    parts=[
        Part(
            "training on a small problem",
            probe="project_training_run",
            share=4,
            public=[Case("160 samples, 8 epochs", {"seed": 1, "samples": 160, "epochs": 8})],
            hidden=[Case("200 samples, 7 epochs", {"seed": 2, "samples": 200, "epochs": 7})],
        ),
        Part(
            "a checkpoint comes back as it was",
            probe="project_round_trip",
            share=2,
            public=[Case("a small network, epoch 7", {"width": 5, "epoch": 7, "seed": 1})],
            hidden=[Case("another network, epoch 12", {"width": 8, "epoch": 12, "seed": 3})],
        ),
        Part(
            "other files are refused",
            probe="project_refusal",
            share=2,
            public=[Case("four files", {"width": 5, "seed": 1})],
            hidden=[Case("four other files", {"width": 9, "seed": 2})],
        ),
    ],
    misconceptions=n09_mistakes.TRAINING + n09_mistakes_options.TRAINING,
)

STEPS = {
    1: "A 66 %, B one network 15 % below persistence, C 58 %",
    2: "A 71.5 %, B one network 30 % below persistence, C 61 %",
    3: "A 77 %, B both networks 10 % below persistence, C 64 %",
    4: "A 82.5 %, B both networks 20 % below persistence, C 67 %",
    5: "A 88 %, B both networks 30 % below persistence, C 70 %",
}

project_performance = Exercise(
    "project_performance",
    points=8,
    seconds=60,
    parts=[
        Part(
            f"step {step} of 5: {text}",
            probe="project_measured",
            public=[Case("data that you have", *n09_hidden.public(step))],
            hidden=[Case("data that nobody has", *n09_hidden.hidden(step))],
        )
        for step, text in STEPS.items()
    ],
    misconceptions=n09_mistakes.PERFORMANCE + n09_mistakes_options.PERFORMANCE,
)

EXERCISES = [
    project_data,
    project_model,
    project_training,
    project_performance,
    Exercise("project_analysis", points=20, kind="written"),
    Exercise("project_quality", points=10, kind="written"),
]
