"""A row of the table: its protocol, its minutes, and commands that a reader can call one after another."""

import shlex

import pytest

from inference.__main__ import build_parser
from inference.lab.reports.runs import StoredRun, runs_table
from inference.lab.reports.sections import outline_section

COMMAND = "python -m inference train {} --protocol {} --held-out fold4 --data DIR"


def row(experiment, protocol="grouped", **facts):
    about = {"row": experiment, "protocol": protocol, "command": COMMAND.format(experiment, protocol)}
    return StoredRun(f"{experiment}-{protocol}", {**about, "training_minutes": 20.0, **facts})


def installed(stem="installed-paper-cnn-grouped", card=None, **facts):
    model = {"name": "bonescan-paper-cnn", "version": "1.0.1", "sha256": "a"}
    measured = "python -m inference evaluate --images DIR --labels CSV --json OUT --part test"
    return StoredRun(stem, {"model": model, "command": measured, **facts}, card)


def commands(run):
    return run.command.strip("`").split(" && ")


def test_the_protocol_of_an_installed_model_is_the_last_word_of_the_file_and_not_one_of_its_name():
    assert installed().protocol == "grouped"
    assert installed("bonescan-paper-cnn").protocol == "paper"
    assert installed("shipped").protocol == "–"


@pytest.mark.parametrize(
    ("run", "trained"),
    [
        (row("joint_fine", "centre"), ["joint", "joint_fine"]),
        (row("svm_hybrid"), ["paper_cnn", "svm_hybrid"]),
        (row("joint"), ["joint"]),
        (row("no_longer_there"), ["no_longer_there"]),
    ],
)
def test_what_a_run_starts_from_is_trained_before_it_and_then_the_run_is_measured(run, trained):
    *steps, last = commands(run)
    assert steps == [COMMAND.format(name, run.protocol) for name in trained]
    assert last.startswith(f"python -m inference evaluate --run runs/{run.name}-{run.protocol}-fold4 ")
    assert "--allow-leaking" not in last


def test_a_leaking_row_says_what_lets_it_be_measured():
    *_, last = commands(row("paper_cnn", "paper", leaking=True))
    assert "--run runs/paper_cnn-paper " in last
    assert last.endswith(" --allow-leaking")


def test_every_command_of_a_row_is_one_that_this_program_understands():
    for run in (row("joint_fine"), row("paper_cnn", "paper", leaking=True), installed(card={"command": "python x"})):
        for command in commands(run) if "row" in run.measured else [run.command.split("`")[1]]:
            build_parser().parse_args(shlex.split(command)[3:])


def test_the_command_of_a_first_card_is_not_passed_off_as_one_of_this_program():
    told = installed(card={"command": "python -m inference train --data DIR"}).command
    assert "train --data DIR" not in told
    assert "program of that version" in told
    later = installed(card={"family": "joint", "command": "python -m inference train joint"}).command
    assert later.startswith("`python -m inference train joint && python -m inference evaluate")


def test_minutes_hold_those_of_the_run_below_or_say_that_they_do_not():
    assert row("joint").cost[1] == "20"
    assert row("joint_fine").cost[1] == "20 (last stage)"
    assert row("joint_fine", training_minutes_below=30.5).cost[1] == "50.5"
    fine = {"minutes": 10.0, "recipe": {"start_from": "joint"}}
    networks = {"a": {"training": fine}, "b": {"training": {"minutes": 5.0, "recipe": {"start_from": ""}}}}
    assert installed(card={"networks": networks}).cost[1] == "15 (last stage)"
    networks["a"]["training"] = {**fine, "minutes_below": 30.0}
    assert installed(card={"networks": networks}).cost[1] == "45"
    assert "come on top" in runs_table({"x": row("joint_fine")})
    assert "come on top" not in runs_table({"x": row("joint")})


def test_the_table_says_which_section_was_measured_again_and_where_no_training_list_is():
    run = installed(times_measured=1, measured_again={"saliency": {"times": 1}}, training_list=False)
    page = runs_table({"x": run})
    assert "| 1; saliency again: 1 |" in page
    assert "bonescan-paper-cnn-1.0.1: the card lists no training images" in page
    assert "lists no training images" not in runs_table({"x": installed(training_list=True)})


def test_outlines_are_told_together_with_what_the_portal_leaves_out():
    figure = {"estimate": 0.4, "low": 0.3, "high": 0.5, "n": 9}
    assert "at most 5 regions" in outline_section({"outline": {"dice": figure}}, "##")
    assert outline_section({}, "##") == ""
