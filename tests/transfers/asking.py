"""Asks for a transfer as a process of its own; run by test_sweeping.

python -m tests.transfers.asking USER_ID
"""

import sys
from uuid import UUID

from portal.startup import django_or_exit

django_or_exit()

from accounts.models import User  # noqa: E402 - needs the settings
from sandbox import seed  # noqa: E402
from transfers.submission import Item, ask, document_for  # noqa: E402

person = User.objects.get(pk=sys.argv[1])
ask(
    person,
    document_for(
        source_collection=UUID(seed.TUTORIAL_1),
        destination_collection=UUID(seed.TUTORIAL_2),
        items=[Item("/share/godata/", "/~/godata/")],
    ),
    asked_by=person,
)
