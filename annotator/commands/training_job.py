"""`evidence train-job`: a training of a project on another machine, as a folder that goes there and comes back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.commands.common import Subparsers, add_data_dir, project_of, report, say
from annotator.commands.learn import StderrMonitor, add_training_settings, training_config

if TYPE_CHECKING:
    from annotator.training.folder import TrainingFolder


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("train-job", help="train a project's model on another machine: write, run, take")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    write = actions.add_parser("write", help="write data, settings and base into a folder; it holds the posts' text")
    write.add_argument("folder", type=Path, metavar="FOLDER")
    write.add_argument("--model", metavar="MODEL", help="version, directory or Hub id to start from (default: active)")
    write.add_argument("--threads", type=int, metavar="N", help="CPU threads of each process")
    add_training_settings(write)
    add_data_dir(write)
    write.set_defaults(run=run_write)
    run = actions.add_parser("run", help="train such a folder here, from its last checkpoint; needs no project")
    run.add_argument("folder", type=Path, metavar="FOLDER")
    run.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    run.set_defaults(run=run_run)
    take = actions.add_parser(
        "take", help="have a trained folder measured in its project, and put in service if better"
    )
    take.add_argument("folder", type=Path, metavar="FOLDER")
    take.add_argument("--note", default="", metavar="TEXT")
    add_data_dir(take)
    take.set_defaults(run=run_take)


def run_write(arguments: argparse.Namespace) -> None:
    from annotator.training.elsewhere import write_training
    from annotator.training.run import base_version

    project = project_of(arguments)
    config = training_config(arguments, base_version(project.store, arguments.model), project.settings)
    data = write_training(project.store, project.settings, arguments.folder, config, base=arguments.model)
    report({"folder": str(arguments.folder), **data.describe()})
    say(f"Carry it to the other machine, then: evidence train-job run {arguments.folder.name}")


def run_run(arguments: argparse.Namespace) -> None:
    from annotator.settings import from_environment, prepare_process
    from annotator.training.folder import read_folder

    prepare_process(from_environment())
    training = read_folder(arguments.folder.absolute())
    try:
        candidate = _trained(training, arguments.device)
    except KeyboardInterrupt:
        say("Stopped; the same command goes on from the last checkpoint.")
        raise
    report({"folder": str(arguments.folder), "candidate": str(candidate)})
    say(f"Back in the project: evidence train-job take {arguments.folder.name}")


def _trained(training: TrainingFolder, device: str) -> Path:
    from annotator.training.folder import train_folder
    from annotator.training.processes import train_in_processes

    processes = training.config.processes
    if processes > 1:
        return train_in_processes(training.folder, StderrMonitor(), processes=processes, device=device)
    return train_folder(training, StderrMonitor(), device=device)


def run_take(arguments: argparse.Namespace) -> None:
    from annotator.training.elsewhere import take_training

    project = project_of(arguments)
    by = project.settings.local_reviewer
    job = take_training(project.jobs, project.settings, arguments.folder, by=by, note=arguments.note)
    report({"job": job.id})
    say("The running app measures it within seconds; without one, run: evidence worker")
