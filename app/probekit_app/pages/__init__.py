"""Pages of the workbench: one file each, holding ``PAGE``; found by looking into this folder.

A page is data and pure functions of a :class:`~probekit_app.view.View`. It draws with figures of
``probekit.figures`` only, computes no measure, and imports no other page. A whole page::

    KIND = Choice(key="space.kind", label="Vectors", values={"raw": "Raw", "centred": "Centred"})

    MAP = FigureCard(
        name="map",
        title="Units in the plane",
        reading="Each point is a text; translations that lie together share a place.",
        plot="space_map",
        arguments=lambda view: {"layer": view.state.layer, "kind": view.option("space.kind")},
        needs=("space",),
        follows=("layer", "space.kind"),
        click={"unit": "customdata"},
    )

    PAGE = Page(
        path="/space",
        title="Space",
        order=7,
        lead="Do translations lie together?",
        needs=("space",),
        controls=(KIND,),
        cards=(MAP,),
    )

``tests/app/test_pages.py`` then tries every card of it on a tiny run.
"""
