"""The reference list, from references.bib: the plain subset of BibTeX that the file is written in."""

from __future__ import annotations

import re

from sevenepochs.errors import UserError

_ENTRY = re.compile(r"^@\w+\{(?P<key>[\w-]+),\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(?P<name>\w+)\s*=\s*\{(?P<value>.*)\},?$", re.MULTILINE)


def bibliography(text: str) -> str:
    """Return a Markdown list by first author and year. Raises UserError: an entry without author, title or year."""
    lines = []
    for entry in _ENTRY.finditer(text):
        fields = {m["name"].lower(): re.sub(r"[{}]", "", m["value"]) for m in _FIELD.finditer(entry["body"])}
        if missing := {"author", "title", "year"} - fields.keys():
            raise UserError(f"references.bib: {entry['key']} has no {', '.join(sorted(missing))}")
        names = [name.strip() for name in fields["author"].split(" and ")]
        authors = "; ".join(names[:3]) + (" and others" if names[3:] else "")
        details = [fields[k] for k in ("journal", "booktitle", "institution", "howpublished") if k in fields][:1]
        details += [f"{k} {fields[k].replace('--', '–')}" for k in ("volume", "pages") if k in fields]
        about = f" {', '.join(details)}." if details else ""
        link = f" [{fields['url'].removeprefix('https://')}]({fields['url']})" if "url" in fields else ""
        lines.append(f"- {authors} ({fields['year']}). *{fields['title']}*.{about}{link}")
    return "\n".join(sorted(lines))
