"""What a trained run does, as JSON: `analyze(...)` functions, one question a file."""
