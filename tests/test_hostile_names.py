"""Whatever others call their things, it acts nowhere (security.md W01, W02, W04, 11).

Every text that somebody else chose is hostile here: what Globus says is changed on the
wire, our own rows are made so. Then every address of the portal is asked for. A new one
fails until it says which of its texts come from elsewhere, or that none do.
"""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import uuid
from uuid import UUID

import pytest
import requests
from django.contrib.auth.models import Group
from django.core import mail
from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts import audit, outbox, webhooks
from accounts.models import OutboxMessage, ServiceAccount, User, Wishes
from sandbox import seed
from tests import routes
from tests.factories import make_job, make_run, make_schedule, make_transfer
from tests.flows import person
from tests.transfers.jobs.test_inventories import started
from transfers.jobs import notify, settling, trials
from transfers.jobs.chunks import Row
from transfers.jobs.events import EVENTS
from transfers.models import TransferTemplate, Trial
from transfers.submission import Item, document_for

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "onerror=alert"
#: a name of a file; a slash cannot be in it
NAME = (
    f"=cmd <img src=x {CANARY}(1)>\"><svg onload=alert(2)>' onmouseover='alert(3)"
    "svg{{7*7}}{% now 'Y' %}javascript:alert(4) fdp\u202eexe"
)
#: half of a character, which no file or database can hold
LONE = "\ud800"
TEXT = f"{NAME}</script><script>alert(5)</script><!--"
#: what Globus tells: control bytes too
SAID = f"{TEXT}\r\nSet-Cookie: x\x00\x1b[31m"

#: fields of Globus's answers that hold what somebody wrote
OF_OTHERS = re.compile(
    r"(\w+_)?display_name|canonical_name|description|organization|department|keywords"
    r"|owner_string|contact_email|contact_info|info_link|label|message|details"
    r"|nice_status\w*|user_message|institution|email|user|group|link_target"
    r"|fatal_error|name|username|terms_and_conditions"
)
#: where the portal looks at who somebody is, not at what they call themselves
LEFT_ALONE = re.compile(r"/(oauth2|userinfo|identities|_sandbox)\b|/v2/api/")

#: what no text of a page may hold: it acts on a terminal, a header or on reading
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")

SHARED = UUID(seed.SHARED)
FOLDER = "/"


@pytest.fixture
def hostile_globus(monkeypatch):
    """Every answer of Globus, once signed in, has hostile texts in it."""
    send = requests.Session.send

    def poisoned(session, request, **options):
        answer = send(session, request, **options)
        is_json = "json" in answer.headers.get("Content-Type", "")
        if is_json and not LEFT_ALONE.search(request.url):
            document = worse(answer.json())
            answer._content = json.dumps(document).encode()
        return answer

    monkeypatch.setattr(requests.Session, "send", poisoned)


def worse(document, key=""):
    match document:
        case dict():
            return {name: worse(value, name) for name, value in document.items()}
        case list():
            return [worse(value, key) for value in document]
        case str() if OF_OTHERS.fullmatch(key):
            return document + (NAME if key in ("name", "username") else SAID) + LONE
    return document


@pytest.fixture
def world(sandbox, visit, service_account, monkeypatch):
    """Rows of ours with hostile texts, and what each address needs of them."""
    grace, root = visit("grace"), visit("root")
    sharing = f"/collections/{SHARED}/sharing/"
    form = {"whom": "identity", "username": seed.MALLORY, "may": "r", "path": "/"}
    assert grace.post(sharing, form | {"path": "/field notes/"}).status_code == 302
    form = {"collection_id": SHARED, "path": "/", "name": "mine"}
    assert grace.post("/bookmarks/new/", form).status_code == 302

    someone = person("grace")
    # A sign-in has taken the unseen characters out of these already (L15).
    visible = UNSEEN.sub("", TEXT)
    User.objects.update(name=visible[:255], organization=visible[:255])
    ServiceAccount.objects.update(name=NAME[:100], purpose=TEXT)
    service_account.refresh_from_db()
    document = document_for(
        source_collection=SHARED,
        destination_collection=UUID(seed.TUTORIAL_2),
        items=[Item(f"/{NAME}", f"/~/{NAME}")],
        label="label",
    ) | {"label": NAME[:128]}
    waiting = make_transfer(someone, document=document, source_name=NAME)
    failed = make_transfer(
        someone,
        status="FAILED",
        document=document,
        submission_id=uuid.uuid4(),
        sent_at=timezone.now(),
        task_id=uuid.uuid4(),
        finished_at=timezone.now(),
        source_name=NAME,
        task_document={"nice_status_details": TEXT, "label": TEXT},
        last_error=TEXT,
        error_detail=TEXT,
        pause_message=TEXT,
        nice_status=NAME[:100],
    )
    job = make_job(
        service_account,
        name=NAME[:100],
        owner=someone,
        kind="transfer",
        source_path=f"/{NAME}/",
        tell_events=[*EVENTS],
    )
    make_schedule(job)
    lists = make_job(service_account, name=f"list {NAME}"[:100], owner=someone)
    run = make_run(lists, state="preparing")
    inventory = started(run)
    names = sorted((NAME, f"lone{LONE}"))
    rows = [Row("/sensors/", name, "file", 1, 0) for name in names]
    monkeypatch.setattr(settling, "rows_here", lambda _: iter(rows))
    settling.settle(inventory, lambda: None, None)
    type(run).objects.filter(pk=run.pk).update(
        state="succeeded", says=TEXT, reason=TEXT[:200], finished_at=timezone.now()
    )
    bad = make_run(job, state="failed", finished_at=timezone.now(), says=TEXT)
    trial = trials.ask(job, Trial.Kind.PREFLIGHT, by=someone)
    type(trial).objects.filter(pk=trial.pk).update(state="failed", says=TEXT)
    tried = Trial.objects.create(
        user=someone,
        kind=Trial.Kind.DRY_RUN,
        inputs={"form": {"label": [NAME], "origin_path": [f"/{NAME}/"]}},
        state="failed",
        says=TEXT,
    )
    template = TransferTemplate.objects.create(user=someone, name=NAME[:100], fields={})
    group = Group.objects.create(name=NAME[:150])
    hook, _ = webhooks.make("https://hooks.example.org/x", by=someone)
    Wishes.objects.create(user=someone, webhook=hook)
    for number, whom in enumerate(({"user": someone}, {"webhook": hook})):
        OutboxMessage.objects.create(
            key=f"hostile:{number}",
            state="sent",
            subject=TEXT[:200],
            path="/transfers/" if "user" in whom else "",
            last_error=UNSEEN.sub("", SAID),
            **whom,
        )
    event = audit.record("job:run:fail", actor=someone, owner=service_account, job=TEXT)
    return {
        "grace": grace,
        "root": root,
        "transfer": waiting.pk,
        "failed": failed.pk,
        "job": job.pk,
        "list": lists.pk,
        "run": run.pk,
        "bad_run": bad.pk,
        "trial": trial.pk,
        "tried": tried.pk,
        "template": template.pk,
        "group": group.pk,
        "event": event.pk,
        "person": someone.pk,
        "account": service_account.pk,
    }


class Page(html.parser.HTMLParser):
    """What on a page could act."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.within = ""

    def handle_data(self, data):
        # What is written in a field goes back as it is, so it stands there as it is.
        if self.within not in ("textarea", "script"):
            self.look_for_unseen(data)

    def look_for_unseen(self, text):
        for each in UNSEEN.finditer(text):
            around = text[max(0, each.start() - 60) : each.end() + 20]
            self.found.append(f"U+{ord(each[0]):04X} in {self.within}: {around!r}")

    def handle_endtag(self, tag):
        self.within = ""

    def handle_starttag(self, tag, attrs):
        named, self.within = dict(attrs), tag
        for name in ("title", "aria-label", "alt", "placeholder"):
            self.look_for_unseen(named.get(name) or "")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.found.append(f"<{tag} {name}>")
            if name in ("href", "src", "action", "formaction"):
                scheme = (value or "").strip().partition(":")[0].casefold()
                if scheme in ("javascript", "data", "vbscript"):
                    self.found.append(f"<{tag} {name}={value[:40]}>")
        if tag == "img" and named.get("src") == "x":
            self.found.append("an image of theirs")
        if tag == "script" and not (
            named.get("src") or named.get("type") == "application/json"
        ):
            self.found.append("a script in the page")

    def handle_comment(self, data):
        if len(data) > 200:  # theirs would swallow what comes after it
            self.found.append("a comment")


def what_acts(answer):
    """What of the hostile texts is alive in an answer."""
    if "Set-Cookie" in answer.headers and "x" in answer.cookies:
        return ["a cookie of theirs"]
    raw = b"".join(answer) if answer.streaming else answer.content
    text = raw.decode()
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if kind == "text/csv":
        rows = csv.reader(io.StringIO(text))
        return [c for row in rows for c in row if c.startswith(("=", "+", "-", "@"))]
    if kind != "text/html":
        return []
    page = Page()
    page.feed(text)
    page.close()
    return page.found + (["a template"] if "svg49" in text else [])


def holds(answer):
    """Whether a hostile text came so far at all."""
    raw = b"" if answer.streaming else answer.content
    return CANARY.encode() in raw


def each(names, sample):
    return {name: sample for name in names}  # noqa: C420 - nobody changes them


def samples(world):
    """What each address is asked for with: ``{name: arguments and query}``."""
    panes = f"origin_id={SHARED}&origin_path={FOLDER}"
    listing = f"id={SHARED}&path={FOLDER}"
    transfer, failed = {"pk": world["transfer"]}, {"pk": world["failed"]}
    job, run = {"pk": world["job"]}, {"pk": world["run"]}
    bad, trial = {"pk": world["bad_run"]}, {"pk": world["trial"]}
    collection = {"collection_id": SHARED}
    known = {
        **each(("files", "timer_new"), {"query": panes}),
        "new": {"query": f"{panes}&destination_id={SHARED}&destination_path=/"},
        **each(("rows", "numbers"), {"query": listing}),
        "collections": {"query": "q=e&scope=all"},
        **each(("collection", "sharing"), collection),
        **each(("upload", "upload_file"), collection | {"query": f"path={FOLDER}"}),
        **each(
            ("download", "preview", "raw"), collection | {"query": "path=/README.md"}
        ),
        "bookmark_new": {"query": f"collection_id={SHARED}&path=/"},
        **each(("detail", "progress", "cancel", "edit", "way_on"), transfer),
        **each(("again", "instead", "resume", "task_files", "task_files_csv"), failed),
        **each(
            (
                *("job", "job_edit", "job_duplicate", "job_remove", "job_hold"),
                *("job_webhook", "run_now", "preflight", "dry_run"),
            ),
            job,
        ),
        "inventories": {"pk": world["list"]},
        "job_export": job | {"form": "globus"},
        **each(("trial_progress", "trial_cancel"), trial),
        **each(("trial_csv", "trial_jsonl"), trial),
        **each(("template_rename", "template_delete"), {"pk": world["template"]}),
        **{
            f"own_dry_run{end}": {"pk": world["tried"]}
            for end in ("", "_progress", "_cancel", "_csv", "_jsonl")
        },
        **each(("run", "run_progress", "run_again"), bad),
        "run_cancel": bad,
        **each(
            ("inventory", "inventory_csv", "inventory_jsonl", "inventory_unread"), run
        ),
    }
    found = {f"transfers:{name}": sample for name, sample in known.items()}
    found["accounts:pending"] = {"reference": "x"}
    found["accounts:end_session"] = {"handle": "x"}
    found["accounts:answer_invitation"] = {"group_id": seed.GROUP_INVITATION}
    return found


def from_lists(browser):
    """Ids that only Globus knows, as the lists link to them."""
    bookmarks = browser.get("/bookmarks/").content.decode()
    rules = browser.get(f"/collections/{SHARED}/sharing/").content.decode()
    [bookmark] = set(re.findall(r"/bookmarks/([0-9a-f-]{36})/remove/", bookmarks))
    rule, *_ = re.findall(r"/sharing/([0-9a-f-]{36})/remove/", rules)
    of_rule = {"collection_id": SHARED, "rule_id": rule}
    timer = {"timer_id": uuid.uuid4()}
    return {
        **each(
            ("transfers:bookmark_rename", "transfers:bookmark_remove"),
            {"bookmark_id": bookmark},
        ),
        **each(("transfers:sharing_change", "transfers:sharing_remove"), of_rule),
        **{
            f"transfers:timer{end}": timer
            for end in ("", "_pause", "_resume", "_once", "_rename", "_delete")
        },
    }


#: pages that show nothing that others wrote, or are no pages
NOTHING_OF_OTHERS = {
    *("accounts:another", "accounts:begin", "accounts:sign_in", "accounts:sign_out"),
    *("accounts:end_other_sessions", "accounts:end_session"),
    *("accounts:notification_webhook", "accounts:notification_webhook_on"),
    "accounts:notifications_shown",
    *("healthz", "readyz", "metrics"),
    # These lead elsewhere, or take nothing but a form.
    *("accounts:answer_invitation", "transfers:bookmark_remove", "transfers:instead"),
    *("transfers:cancel_many", "transfers:job_hold", "transfers:job_remove"),
    *("transfers:jobs_bulk", "transfers:refresh", "transfers:resume"),
    *("transfers:run_cancel", "transfers:run_now", "transfers:trial_cancel"),
    *("transfers:timer_pause", "transfers:timer_rename", "transfers:timer_resume"),
    "transfers:timer_once",
    *("transfers:timer_new", "transfers:way_on", "transfers:upload_file"),
    *("transfers:filter_preview", "transfers:own_dry_run_cancel"),
    # Numbers only.
    "transfers:numbers",
}
#: with a form: what is picked in the folder
OF_PICKS = ("copy", "delete", "download_picked", "measure", "new_folder", "rename")
#: files, in which a name need not stand in the first block
FILES = {
    *("accounts:download", "accounts:groups_csv", "transfers:csv"),
    *("transfers:inventory_csv", "transfers:inventory_jsonl"),
    *("transfers:inventory_unread", "transfers:own_dry_run_csv"),
    "transfers:own_dry_run_jsonl",
}


def test_every_address_says_whether_it_shows_what_others_wrote(world, hostile_globus):
    browser = world["grace"]
    browser.raise_request_exception = False
    known = samples(world) | from_lists(browser)
    alive, arrived, broken = {}, set(), {}
    for name in sorted(routes.of_the_portal() - {"accounts:sign_out"}):
        answer = browser.get(routes.address(name, known.get(name)))
        if answer.status_code >= 500 and answer.status_code != 503:
            broken[name] = answer.status_code
        # A page that says "only forms here" has nothing of the address's own.
        if holds(answer) and answer.status_code != 405:
            arrived.add(name)
        if found := what_acts(answer):
            alive[name] = found
    assert broken == {}
    assert alive == {}
    with_forms = {f"transfers:{name}" for name in OF_PICKS}
    without = routes.of_the_portal() - arrived - FILES - with_forms
    assert without == NOTHING_OF_OTHERS


def test_nor_on_the_pages_about_what_is_picked(world, hostile_globus):
    browser = world["grace"]
    rows = browser.get("/files/rows/", {"id": SHARED, "path": FOLDER}).json()
    form = {
        "origin_id": SHARED,
        "origin_path": FOLDER,
        "stamp": rows["stamp"],
        "pick": rows["numbers"][:1],
    }
    for name in OF_PICKS:
        answer = browser.post(routes.address(f"transfers:{name}"), form)
        assert answer.status_code < 500, name
        assert what_acts(answer) == [], name
        assert holds(answer), name
    answer = browser.post("/transfers/new/", form | {"everything": "1"})
    assert what_acts(answer) == []


def test_nor_in_the_administration(world):
    browser = world["root"]
    rows = {
        "accounts_auditevent": world["event"],
        "auth_group": world["group"],
        "accounts_user": world["person"],
        "accounts_serviceaccount": world["account"],
        "transfers_job": world["job"],
        "transfers_run": world["bad_run"],
        "transfers_transfer": world["failed"],
    }
    arrived = set()
    for name in routes.names():
        if not name.startswith(routes.ADMIN):
            continue
        model = next((each for each in rows if f":{each}_" in name), "")
        if not model:
            continue
        try:
            address = reverse(name)
        except NoReverseMatch:
            address = reverse(name, args=[rows[model]])
        answer = browser.get(address)
        assert answer.status_code in (200, 302, 403, 404, 405), name
        assert what_acts(answer) == [], name
        if holds(answer):
            arrived.add(model)
    assert arrived == set(rows)


def test_nor_in_mail(world):
    User.objects.update(email="grace@example.org")
    notify.sweep(timezone.now())
    assert outbox.send_due() > 0
    assert mail.outbox
    for each in mail.outbox:
        assert "\n" not in each.subject
        for text in (each.subject, each.body):
            assert not UNSEEN.search(text), text
        assert each.content_subtype == "plain"


def test_the_look_itself_sees_what_acts():
    """A page with everything raw is found out."""
    raw = HttpResponse(f"<p>{NAME}<p title='\u202e'>{TEXT}{SAID}")
    found = " ".join(what_acts(raw))
    for part in ("<img onerror>", "<svg onload>", "a script", "U+202E", "U+001B"):
        assert part in found
    sheet = HttpResponse(f"a,{NAME}".replace("a,=", "a,\n="), content_type="text/csv")
    assert what_acts(sheet)
