"""Refusals of products and files: what may not be written, imported or taken in."""

from typing import Any
from uuid import uuid4

from bus.files import AbandonFile, GetContent, StoreFile
from bus.kit.addressing import new_id
from bus.products import AppendImport, ImportProducts
from tests.edge.contract import Role
from tests.edge.front import PRICE
from tests.edge.pictures import FORM, form
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene
from tests.edge.things import Things

CSV = {"Content-Type": "text/csv"}
OPEN_MAX, CATEGORIES_MAX = 20, 10_000


@provokes("sku-taken", 409)
async def _same_sku(scene: Scene) -> Any:
    variant = {"sku": scene.sku, "price": PRICE}
    return await _make(scene, variants=[variant])


@provokes("invalid-variants", 422)
async def _alike(scene: Scene) -> Any:
    skus = [f"Z-{uuid4().hex[:8]}" for _ in range(2)]
    alike = [{"sku": sku, "price": PRICE, "options": {"Kind": "One"}} for sku in skus]
    return await _make(scene, variants=alike)


@provokes("slug-taken", 409)
async def _same_slug(scene: Scene) -> Any:
    slug = f"s-{uuid4().hex[:8]}"
    assert (await _make(scene, slug=slug)).status_code == 201
    return await _make(scene, slug=slug)


@provokes("unknown-category", 422)
async def _nowhere(scene: Scene) -> Any:
    return await _make(scene, category_id=str(uuid4()))


@provokes("unknown-file", 422)
async def _no_picture(scene: Scene) -> Any:
    person, line, body = await scene.ask(
        Role.SELLER, "POST /products/{product_id}/images", {"file_id": str(uuid4())}
    )
    return await person.send(line, body)


@provokes("review-exists", 409)
async def _again(scene: Scene) -> Any:
    line, review = "POST /products/{product_id}/reviews", {"rating": 5, "comment": "!"}
    person, line, body = await scene.ask(Role.CUSTOMER, line, review)
    await person.call(line, 201, body)
    return await person.send(line, body)


@provokes("category-cycle", 409)
async def _under_itself(scene: Scene) -> Any:
    admin, top = scene.people[Role.ADMIN], await _category(scene)
    low = await _category(scene, top)
    body = {"name": "Top", "parent_id": low}
    return await admin.send(f"PUT /categories/{top}", body)


@provokes("category-in-use", 409)
async def _in_use(scene: Scene) -> Any:
    admin, top = scene.people[Role.ADMIN], await _category(scene)
    await _category(scene, top)
    return await admin.send(f"DELETE /categories/{top}")


@provokes("category-too-deep", 409)
async def _deep(scene: Scene) -> Any:
    parent = await _category(scene)
    admin = scene.people[Role.ADMIN]
    for _ in range(20):
        body = {"name": f"C {uuid4().hex[:8]}", "parent_id": parent}
        answer = await admin.send("POST /categories", body)
        if answer.status_code != 201:
            return answer
        parent = answer.json()["id"]
    return answer


@provokes("too-many-categories", 409)
async def _full_tree(scene: Scene) -> Any:
    rows = scene.front.shop.rows
    await rows(
        "products",
        """INSERT INTO categories
             (id, name, slug, position, version, created_at, updated_at)
           SELECT gen_random_uuid(), 'filling', 'filling-' || n, 0, 1, now(), now()
           FROM generate_series(1, $1) AS n""",
        CATEGORIES_MAX,
    )
    admin = scene.people[Role.ADMIN]
    answer = await admin.send("POST /categories", {"name": f"C {uuid4().hex[:8]}"})
    await rows("products", "DELETE FROM categories WHERE name = 'filling'")
    return answer


@provokes("empty-file", 422)
async def _nothing(scene: Scene) -> Any:
    return await _import(scene, b"")


@provokes("not-utf-8", 422)
async def _other_letters(scene: Scene) -> Any:
    return await _import(scene, b"Handle,Title\na,\xff\xfe\n")


@provokes("too-many-columns", 422)
async def _wide(scene: Scene) -> Any:
    return await _import(scene, b"Handle" + b",a" * 1_000 + b"\n")


@provokes("malformed-form", 400)
async def _no_form(scene: Scene) -> Any:
    seller = scene.people[Role.SELLER]
    return await seller.send("POST /products/import", b"no form", **FORM)


@provokes("unsupported-media-type", 415)
async def _a_page(scene: Scene) -> Any:
    seller, kind = scene.people[Role.SELLER], {"Content-Type": "text/html"}
    return await seller.send("POST /products/import", b"<p>", **kind)


@provokes("too-many-imports", 429)
async def _impatient(scene: Scene) -> Any:
    seller, rows = await scene.front.person("SELLER"), scene.front.shop.rows
    await rows(
        "products",
        """INSERT INTO imports
             (id, owner_id, status, place, tries, rows_done, created, updated,
              unchanged, failed, errors_total, warnings_total, version, created_at,
              updated_at)
           SELECT gen_random_uuid(), $1, 'PENDING', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                  now(), now()
           FROM generate_series(1, $2)""",
        seller.user_id,
        OPEN_MAX,
    )
    sheet = b"Handle,Title\na,b\n"
    answer = await seller.send("POST /products/import", sheet, **CSV)
    await rows("products", "DELETE FROM imports WHERE owner_id = $1", seller.user_id)
    return answer


@provokes("upload-incomplete", 409)
async def _half(scene: Scene) -> Any:
    """A piece is missing: over HTTP the gateway sends all of them first."""
    owner_id = scene.people[Role.SELLER].user_id
    assert owner_id is not None
    import_id, ask = new_id(owner_id), scene.front.shop.ask
    await ask(AppendImport(import_id=import_id, start=0, data=b"Handle,Title\n"))
    message = ImportProducts(
        import_id=import_id,
        owner_id=owner_id,
        editor_id=owner_id,
        seller_id=owner_id,
        bytes_total=99,
    )
    return await ask(message)


@provokes("piece-too-large", 413)
async def _at_once(scene: Scene) -> Any:
    piece = AppendImport(import_id=new_id(), start=0, data=b" " * (1 << 20))
    return await scene.front.shop.ask(piece)


@provokes("unsupported-media", 415)
async def _no_file(scene: Scene) -> Any:
    sent = form("review", "r1").replace(b"PNG", b"GNP")
    return await scene.people[Role.CUSTOMER].send("POST /upload", sent, **FORM)


@provokes("unknown-entity-type", 422)
async def _of_what(scene: Scene) -> Any:
    file = StoreFile(
        file_id=new_id(), owner_id=None, entity_type="robot", entity_id="1", data=b"x"
    )
    return await scene.front.shop.ask(file)


@provokes("unknown-size", 422)
async def _giant(scene: Scene) -> Any:
    file_id = await Things(scene, Role.CUSTOMER, anew=True).fill("{file_id}")
    owner = scene.people[Role.CUSTOMER].user_id
    query = GetContent(file_id=file_id, size="giant", viewer_id=owner)
    return await scene.front.shop.ask(query)


@provokes("file-in-use", 409)
async def _still_there(scene: Scene) -> Any:
    file_id = await Things(scene, Role.CUSTOMER, anew=True).fill("{file_id}")
    return await scene.front.shop.ask(AbandonFile(file_id=file_id))


@provokes("range-not-satisfiable", 416)
async def _past_the_end(scene: Scene) -> Any:
    file_id = await Things(scene, Role.CUSTOMER, anew=True).fill("{file_id}")
    person, far = scene.people[Role.CUSTOMER], {"Range": "bytes=9999999-"}
    return await person.send(f"GET /files/{file_id}/content", **far)


async def _make(scene: Scene, **more: Any) -> Any:
    variants = [{"sku": f"Z-{uuid4().hex[:8]}", "price": PRICE}]
    body = {"name": "Pan", "description": "Flat.", "variants": variants, **more}
    return await scene.people[Role.SELLER].send("POST /products", body)


async def _category(scene: Scene, parent_id: str | None = None) -> str:
    body = {"name": f"C {uuid4().hex[:8]}", "parent_id": parent_id}
    made = await scene.people[Role.ADMIN].call("POST /categories", 201, body)
    return str(made["id"])


async def _import(scene: Scene, sheet: bytes) -> Any:
    return await scene.people[Role.SELLER].send("POST /products/import", sheet, **CSV)
