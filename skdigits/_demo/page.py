"""Lays the page out, with Gradio."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import gradio as gr
from fastapi import FastAPI

from .reading import NOTHING_DRAWN, Reader

TITLE = "Draw a digit"

# Bytes of an uploaded file; a photograph of 48 megapixels has fewer.
MOST_BYTES = 20 * 1024**2

# Seconds after which uploaded files are deleted, and between two looks for such.
_KEPT = 3600
_LOOKS = 600

# No font of these is loaded from anywhere.
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")
_MONO_FONTS = ("ui-monospace", "Consolas", "monospace")

# Lets the browser ask this server alone, whatever Gradio would fetch. Gradio makes functions of
# the page's own scripts and templates.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:"
)

_HEADER = f"""<header class="title"><h1>{TITLE}</h1>
<p>A neural network reads it while you draw. Nothing is sent to anybody else.</p></header>"""


def make_app(model: Any) -> FastAPI:
    """The page as a web application.

    Parameters
    ----------
    model : Pipeline or DigitANNClassifier
        Fitted on rows of 784 pixels from 0 to 255.

    Returns
    -------
    fastapi.FastAPI
    """
    theme = gr.themes.Default(
        primary_hue="blue",
        neutral_hue="slate",
        font=[gr.themes.Font(name) for name in _FONTS],
        font_mono=[gr.themes.Font(name) for name in _MONO_FONTS],
    ).set(body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_400")
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_SelfContained)
    page = make_page(Reader(model))
    # Only then does Gradio refuse files that nobody has uploaded.
    page.has_launched = True
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        root_path="",
        show_error=False,
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme,
        css=_text("page.css"),
    )


class _SelfContained:
    """Adds the policy to every answer of an application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", _POLICY.encode())
                message["headers"] = [*message.get("headers", ()), policy]
            await send(message)

        await self._app(scope, receive, send_with_policy)


def make_page(reader: Reader) -> gr.Blocks:
    """The components of the page and what happens when they change.

    Parameters
    ----------
    reader : Reader

    Returns
    -------
    gradio.Blocks
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(_LOOKS, _KEPT)) as page:
        gr.HTML(_HEADER)
        with gr.Row():
            with gr.Column(min_width=300):
                with gr.Tab("Draw") as draw_tab:
                    pad = gr.HTML(
                        "",
                        html_template=_text("pad.html"),
                        js_on_load=_text("pad.js"),
                        apply_default_css=False,
                        elem_id="pad",
                    )
                with gr.Tab("Upload") as upload_tab:
                    picture = gr.Image(
                        sources=["upload", "clipboard"],
                        type="filepath",
                        image_mode=None,
                        height=360,
                        show_label=False,
                        label="Picture of a digit",
                        buttons=[],
                        elem_id="picture",
                    )
            with gr.Column(min_width=300):
                answer = gr.HTML(
                    reader.without(NOTHING_DRAWN), apply_default_css=False, elem_id="answer"
                )
        for event in (pad.input, draw_tab.select):
            _connect(event, reader.drawing, pad, answer)
        for event in (picture.change, upload_tab.select):
            # What Gradio makes of files would refuse some of those that can be read here.
            _connect(event, reader.upload, picture, answer, preprocess=False)
    return page


def _connect(event: Any, function: Any, source: Any, target: Any, **options: Any) -> None:
    """Let an event show what a function makes of a component, at once and for many at a time."""
    source.async_move_resource_to_block_cache = _unmoved
    event(
        function,
        source,
        target,
        queue=False,
        show_progress="hidden",
        # While a reading is under way, only the latest one after it matters.
        trigger_mode="always_last",
        concurrency_limit=None,
        api_visibility="private",
        **options,
    )


async def _unmoved(path: str) -> str:
    """Gradio's step between an upload and its use, which would also download addresses."""
    return str(path)


def _text(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")
