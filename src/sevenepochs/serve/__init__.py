"""The web page: a small server for one person's machine, and one static page without a build step."""
