"""The seeded people, clients, groups and collections, by their constant ids.

Nothing here is secret, and nothing here needs Django: tests and documentation use
these names as they stand. ``sandbox.planting`` makes the rows and the files.
"""

from dataclasses import dataclass

# --- people


@dataclass(frozen=True)
class Person:
    """One of the people, by the identity that they sign in with."""

    id: str
    username: str
    name: str

    @property
    def email(self) -> str:
        return self.username


UNIVERSITY_ID = "4eaaff45-d9d5-53c0-befa-5531f42cfae0"
UNIVERSITY = "Example University"
LAB_ID = "c462fa92-610d-5c47-8bb0-7ee510e159e1"
LAB = "Example National Laboratory"
UNIVERSITY_DOMAIN = "university.example"
LAB_DOMAIN = "lab.example"

ADA_ID = "9515900b-8b1f-572c-a84b-c4847259db12"
ADA = "ada@university.example"
ADA_LAB_ID = "17d65201-48ae-5b0a-8311-7f9d6b1ad3a2"
ADA_LAB = "ada.lovelace@lab.example"
GRACE_ID = "4c57d2ba-df5a-596f-bfaf-aaddffa95dc4"
GRACE = "grace@university.example"
ROOT_ID = "65566f00-0c78-51d7-b598-55eb4cbeae5c"
ROOT = "root@university.example"
MALLORY_ID = "a802cf2e-ff4c-51eb-9c6d-3fe3b4c50b77"
MALLORY = "mallory@lab.example"

PEOPLE = {
    "ada": Person(ADA_ID, ADA, "Ada Lovelace"),
    "grace": Person(GRACE_ID, GRACE, "Grace Hopper"),
    "root": Person(ROOT_ID, ROOT, "Robin Root"),
    "mallory": Person(MALLORY_ID, MALLORY, "Mallory Moore"),
}

# --- clients
PORTAL_CLIENT_ID = "a27ee3b7-7236-53bc-b256-8f1f5d054e23"
PORTAL_CLIENT_SECRET = "324d6bf6261e402c2cd9308a8b2747c6a34ee23c"  # noqa: S105
PORTAL_REDIRECT_URI = "http://localhost:8000/complete/globus/"
HARVEST_CLIENT_ID = "d5538443-9b80-5095-ac23-5e32df971652"
HARVEST_CLIENT_SECRET = "a7b19f9ebc0625ba0db92143091e1cae2686b5f1"  # noqa: S105
#: the service account that the export lines and the examples use
SERVICE_ACCOUNT_ID = HARVEST_CLIENT_ID
SERVICE_ACCOUNT_SECRET = HARVEST_CLIENT_SECRET
ARCHIVE_CLIENT_ID = "da1dafd1-0942-5812-a514-e2eb1c11fd57"
ARCHIVE_CLIENT_SECRET = "753dc93bbbe9d46e32794b46557fd19a1240e8e4"  # noqa: S105
NATIVE_CLIENT_ID = "61338d24-54d5-408f-a10d-66c06b59f6d2"
CLI_TEMPLATE_ID = "95fdeba8-fac2-42bd-a357-e068d82ff78e"
#: the services that call others in a person's name, as Globus knows them
TRANSFER_CLIENT_ID = "2fbdda78-a599-4cb5-ac3d-1fbcfbc6a754"
TRANSFER_CLIENT_SECRET = "0a4ca8f16c5ab4ab4ae33b4a1a1b9fe5f2bfa2d3"  # noqa: S105
TIMERS_CLIENT_ID = "524230d7-ea86-4a52-8312-86065a9e0417"
TIMERS_CLIENT_SECRET = "9d3a5f0e6f2c41c7b0c95dd2c3a8de5be8f13e77"  # noqa: S105
SECRETS = {
    PORTAL_CLIENT_ID: PORTAL_CLIENT_SECRET,
    HARVEST_CLIENT_ID: HARVEST_CLIENT_SECRET,
    ARCHIVE_CLIENT_ID: ARCHIVE_CLIENT_SECRET,
    TRANSFER_CLIENT_ID: TRANSFER_CLIENT_SECRET,
    TIMERS_CLIENT_ID: TIMERS_CLIENT_SECRET,
}

# --- authentication policies
#: an identity of the university, signed in within the last 30 minutes
POLICY_UNIVERSITY = "0d9b6c4e-3f0b-5d6a-8b0e-6b1f6f5b7a11"
#: a second factor
POLICY_MFA = "7a3c1f52-1d84-5a0c-9c62-2f1f0d9e4b22"

# --- groups
GROUP_USERS = "b8d475c4-57f3-52b1-ba3c-0412de80833b"
GROUP_STAFF = "84f407be-a6ae-5b44-b269-4dad2f323f0e"
GROUP_ADMINS = "59f642ab-2610-542f-8ccf-8f1b4701e001"
GROUP_GENOMICS = "8e60bacc-ec4a-5655-9842-7ad40f2befa3"
GROUP_TELESCOPE = "09247d23-0f8f-528c-a7f2-607718a4c4c0"
GROUP_INVITATION = "2ef7150f-b6cd-5912-8787-10c7274d2b4d"

# --- collections
TUTORIAL_1 = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
TUTORIAL_2 = "31ce9ba0-176d-45a5-add3-f37d233ba47d"
TUTORIAL_COLLECTION_1 = TUTORIAL_1
TUTORIAL_COLLECTION_2 = TUTORIAL_2
TUTORIAL_ENDPOINT = "09003ba1-0cf8-5b26-a54d-27f3be2c7c1d"
RESEARCH = "c1a0a3eb-f71b-51bf-84a9-23f00e17befb"
SHARED = "22213149-4041-5060-8575-a6bbd81a0823"
CLINICAL = "42b00e1d-6566-5c91-8b51-c0d718bc552a"
LAPTOP = "66e3ace0-d260-50ec-8818-3fa52f578fe9"
VAULT = "b68cbb74-bf5a-5793-b8b7-64b5fd269e37"
HARVEST = "a09f914b-7c8e-55c2-925d-98c69f4b4ca9"
ARCHIVE = "54a268b2-b7c4-59d9-9f82-5262a2122ecd"
