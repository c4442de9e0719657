"""Texts that would run, or become markup, wherever a page forgot that they are texts; and a project that holds them everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from annotator.project import STARTED, default_criteria
from storage.jobs import Jobs
from storage.records import (
    AnnotatedSpan,
    Annotation,
    Criterion,
    JobKind,
    ModelVersion,
    Post,
    Prediction,
    Span,
    Split,
    Verdict,
)
from storage.rounds import Assigned, RoundPost
from storage.store import Store
from storage.team_records import Round, RoundKind, Suggestions

RAN = "window.ran=(window.ran||[]).concat(N)"
"""What a payload does if it runs; N is its number. It holds no space, so that it also works where spaces end."""
SHAPES = (
    "<script>MARK</script>",
    "<img src=x onerror=MARK data-injected>",
    "<svg onload=MARK data-injected>",
    "<svg><script>MARK</script></svg>",
    "${MARK}",
    "{{MARK}}",
    "{{{MARK}}}",
    "`+(MARK)+`",
    "'+(MARK)+'",
    '"+(MARK)+"',
    "\\`${MARK}\\`",
    '" onmouseover="MARK" autofocus onfocus="MARK" data-injected x="',
    "' onfocus='MARK' autofocus data-injected x='",
    "</textarea><script>MARK</script>",
    "</title><script>MARK</script>",
    "</script><script>MARK</script>",
    "</style><script>MARK</script>",
    "--><script>MARK</script><!--",
    "]]><script>MARK</script>",
    "<iframe srcdoc='<script>parent.MARK</script>' data-injected></iframe>",
    "<iframe src=javascript:parent.MARK data-injected></iframe>",
    "<a href=javascript:MARK data-injected>x</a>",
    "[x](javascript:MARK)",
    "![x](https://foreign.invalid/MARK.png)",
    "<img src=https://foreign.invalid/x.png data-injected>",
    "<link rel=stylesheet href=https://foreign.invalid/x.css data-injected>",
    "<style data-injected>body{display:none}</style>",
    "<details open ontoggle=MARK data-injected>x</details>",
    "<input autofocus onfocus=MARK data-injected>",
    "<video><source onerror=MARK data-injected></video>",
    "<marquee onstart=MARK data-injected>x</marquee>",
    "<math><mtext><table><mglyph><style><img src=x onerror=MARK data-injected>",
    "<object data=javascript:MARK data-injected></object>",
    "<form action=javascript:MARK data-injected><button>x</button></form>",
    "<template shadowrootmode=open><script>MARK</script></template>",
    "<base href=https://foreign.invalid/ data-injected>",
    "<meta http-equiv=refresh content='0;url=https://foreign.invalid/' data-injected>",
    "&lt;img src=x onerror=MARK data-injected&gt;",
    "%3Cimg%20src%3Dx%20onerror%3DMARK%20data-injected%3E",
    "\\u003cimg src=x onerror=MARK data-injected\\u003e",
    "$$\\href{javascript:MARK}{x}$$",
    "<% MARK %> #{MARK} {% MARK %}",
    "<img src=x onerror=MARK data-injected\x0b>",
    "<\u200bscript>MARK</script>",
    "javascript:MARK",
    "=HYPERLINK('javascript:MARK')",
    "\u202e<script>MARK</script>",
)
PAYLOADS = tuple(shape.replace("MARK", RAN.replace("N", str(number))) for number, shape in enumerate(SHAPES))
HARM = """() => ({ran: window.ran || [], markup: Array.from(document.querySelectorAll('[data-injected]'), n => n.outerHTML.slice(0, 120)),
  links: Array.from(document.querySelectorAll('a[href^="javascript:"], form[action^="javascript:"]'), n => n.outerHTML.slice(0, 120))})"""
"""What a page has to show for it: nothing of each."""
SAFE = {"ran": [], "markup": [], "links": []}
ALL = " ".join(PAYLOADS)
ERROR_KIND = PAYLOADS[1]


def fill_with(store: Store, payloads: Sequence[str] = PAYLOADS) -> list[str]:
    """A project with payloads in ids, texts, sources, names, wordings, notes, versions, rounds and reasons. Returns the posts' ids."""
    criteria = [
        Criterion(
            c.id, f"{c.name} {payloads[n % len(payloads)]}", f"{c.text} {ALL}", f"{ALL}\n{payloads[n % len(payloads)]}"
        )
        for n, c in enumerate(default_criteria())
    ]
    store.save_criteria(criteria)
    posts = [
        Post(
            id=f"{payload} {n}",
            text=f"I cannot sleep. {payload} {ALL}",
            split=Split.TRAIN,
            source=payload,
            author=payload,
        )
        for n, payload in enumerate(payloads)
    ]
    store.add_posts(posts)
    version = f"m {payloads[1]}"
    store.add_model(ModelVersion(id=version, path="kept-in-the-tests", note=ALL))
    store.activate_model(version, by=None)
    end = len("I cannot sleep. ")
    spans = (Span(0, 15, 0.9), Span(end, end + 20, 0.6))
    store.add_predictions(
        Prediction(p.id, c.id, version, spans, no_evidence_score=0.1) for p in posts for c in criteria
    )
    for n, (post, payload) in enumerate(zip(posts, payloads, strict=True)):
        for name, verdict in ((f"ana {payload}", Verdict.EVIDENCE), (f"ben {payload}", Verdict.NO_EVIDENCE)):
            store.ensure_reviewer(name)
            spans = (AnnotatedSpan(0, 15), AnnotatedSpan(end, end + 20)) if verdict is Verdict.EVIDENCE else ()
            answer = Annotation(post.id, criteria[n % 9].id, name, verdict, spans=spans, note=f"{payload} {ALL}")
            store.add_annotation(answer, expected_revision=0)
    people = (f"ana {payloads[0]}", f"ben {payloads[0]}")
    a_round = Round(
        0, f"week {ALL}", RoundKind.MAIN, False, Suggestions.SHOWN, people, {2: 1.0}, seed=1, created_by=payloads[1]
    )
    store.add_round(a_round, [RoundPost(posts[0].id, 2)], [Assigned(posts[0].id, name, None) for name in people])
    jobs = Jobs(store)
    jobs.enqueue(JobKind.TRAIN, {"steps": ALL}, by=payloads[2])
    store.set_setting("adjudication", {"names": True, "own": True, "error_kinds": [ERROR_KIND, ALL]})
    store.set_setting(STARTED, True)
    return [post.id for post in posts]
