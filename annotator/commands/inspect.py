"""`evidence inspect`: pictures of what a model looks at, before and after it was made bidirectional."""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import Subparsers, UsageError, add_data_dir, progress_lines, report, say, settings_of


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("inspect", help="draw what a model looks at, before and after its conversion")
    parser.add_argument(
        "model", metavar="MODEL", help="bundled, gemma-3-270m-evidence, a directory, GGUF file or Hub id"
    )
    parser.add_argument("--post", required=True, type=Path, metavar="FILE", help="a text file with a post")
    parser.add_argument("--layer", type=int, metavar="N", help="0 for the lowest (default: the last that sees all)")
    parser.add_argument("--head", type=int, default=0, metavar="N", help="attention head (default: 0)")
    parser.add_argument(
        "--output", type=Path, default=Path("inside.html"), metavar="FILE.html", help="the page (default: inside.html)"
    )
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from annotator.commands.common import whole_file
    from annotator.models.loading import model_source, named_model
    from encoder.config import EncoderConfig
    from encoder.network.checkpoints import LoadOptions, load_encoder
    from encoder.network.inside import ahead, look_inside
    from encoder.network.pictures import page

    try:
        text = arguments.post.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{arguments.post} cannot be read as a text: {error}.") from error
    settings = settings_of(arguments, model="active")
    model = named_model(arguments.model)
    options = LoadOptions(device=settings.device, dtype="float32", on_progress=progress_lines())
    # a base without heads can be looked into as well: what is drawn is its backbone
    encoder = load_encoder(model_source(model, settings), options, config=EncoderConfig(scoring="per-criterion"))
    found = look_inside(encoder, text, layer=arguments.layer, head=arguments.head)
    with whole_file(arguments.output) as out:
        out.write(page(found, model.id))
    shares = {
        name: round(ahead(getattr(found, name)), 4)
        for name in ("attention_before", "attention_after", "influence_before", "influence_after")
    }
    report({"output": str(arguments.output), "layer": found.layer, "head": found.head, "from_later_words": shares})
    say(f"Open {arguments.output}: {len(found.tokens)} tokens, layer {found.layer}, head {found.head}.")
