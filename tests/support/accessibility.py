"""What axe-core finds wrong with a page for people who do not see it or do not use a mouse."""

from axe_playwright_python.sync_playwright import Axe

from tests.support.browser_page import left


def findings(tab):
    """Serious and critical findings that stay, each with what it is about."""
    return left(tab, lambda: found_now(tab))


def found_now(tab):
    """Serious and critical findings of this moment."""
    found = Axe().run(tab).response["violations"]
    return {
        f"{one['id']}: {node['html'][:160]} {node['any'][0]['message'][:160] if node['any'] else ''}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    }
