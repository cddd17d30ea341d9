"""The page of a run."""
def render_report(document, *, analyses, dead_letters, user_id): return ""
