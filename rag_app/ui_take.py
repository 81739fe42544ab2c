"""A kept conversation taken away from the page: one press, one ZIP with every form of all its answers."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from rag_app.errors import RagError
from rag_app.outputs.history import History
from rag_app.outputs.markdown import safe_name
from rag_app.outputs.save import MEDIA_TYPE, SUFFIX, Library, bundle, exported
from rag_app.ui_pages import PREFIX


def take_routes(library: Library, history: History) -> APIRouter:
    """The route of a whole conversation; `history` is the one of the user whose page this is."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/conversation/{id}")
    def conversation(id: str) -> Response:
        try:
            answers = [turn.answer for turn in history.load(id) if turn.answer.status != "error"]
            if not answers:
                return Response(status_code=204)
            name = safe_name(answers[0].question, "conversation")
            content = bundle(exported(library, answers), name)
        except KeyError:  # nothing was answered in it yet
            return Response(status_code=204)
        except RagError as error:
            raise HTTPException(422, str(error)) from error
        headers = {"Content-Disposition": f'attachment; filename="{name}.{SUFFIX}"', "Cache-Control": "no-store"}
        return Response(content, media_type=MEDIA_TYPE, headers=headers)

    return routes
