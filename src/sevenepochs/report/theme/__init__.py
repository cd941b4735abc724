"""A theme for mystmd: page JSON in, static HTML out. mystmd starts it through `build.render` in template.yml."""
