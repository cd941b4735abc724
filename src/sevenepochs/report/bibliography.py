"""The reference list, from references.bib: the plain subset of BibTeX that the file is written in."""

from __future__ import annotations

import re

from sevenepochs.errors import UserError

_ENTRY = re.compile(r"^@\w+\{(?P<key>[\w-]+),\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(?P<name>\w+)\s*=\s*\{(?P<value>.*)\},?$", re.MULTILINE)


def bibliography(text: str) -> str:
    """A Markdown list by first author and year.

    Raises:
        UserError: an entry without author, title or year.
    """
    lines = []
    for entry in _ENTRY.finditer(text):
        fields = {m["name"].lower(): re.sub(r"[{}]", "", m["value"]) for m in _FIELD.finditer(entry["body"])}
        if missing := {"author", "title", "year"} - fields.keys():
            raise UserError(f"references.bib: {entry['key']} has no {', '.join(sorted(missing))}")
        where = next((fields[k] for k in ("journal", "booktitle", "institution", "howpublished") if k in fields), "")
        details = [where] if where else []
        details += [f"volume {fields['volume']}"] if "volume" in fields else []
        details += [f"pages {fields['pages'].replace('--', '–')}"] if "pages" in fields else []
        link = f" [{fields['url'].removeprefix('https://')}]({fields['url']})" if "url" in fields else ""
        about = f" {', '.join(details)}." if details else ""
        lines.append(f"- {_authors(fields['author'])} ({fields['year']}). *{fields['title']}*.{about}{link}")
    return "\n".join(sorted(lines))


def _authors(text: str) -> str:
    """ "Family, Given and Family, Given" as "Given Family, Given Family"; sorted lists begin with the family name."""
    names = [name.strip() for name in text.split(" and ")]
    return "; ".join(names[:3]) + (" and others" if len(names) > 3 else "")
