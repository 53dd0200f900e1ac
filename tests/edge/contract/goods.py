"""Products, categories, reviews and pictures."""

from tests.edge.contract.route import Route
from tests.edge.front import PRICE
from tests.edge.pictures import PICTURE

VARIANT = {"sku": "{new_sku}", "price": PRICE, "options": {"Kind": "{new_sku}"}}
PRODUCT = {"name": "Kettle", "description": "Fine.", "variants": [VARIANT]}
CATEGORY = {"name": "Kitchen {code}"}
REVIEW = {"rating": 5, "comment": "It boils."}
VERDICT = {"status": "APPROVED"}

SHEET = b"Handle,Title,Variant SKU,Variant Price\n"

ROUTES = (
    Route("GET /products", "200 200 200 200 200 200 200"),
    Route("GET /products/{reference}", "200 200 200 200 200 200 200"),
    Route("POST /products", "401 401 403 403 201 201 201", PRODUCT),
    Route("PUT /products/{product_id}", "401 401 403 403 200 404 200", PRODUCT),
    Route(
        "PATCH /products/{product_id}",
        "401 401 403 403 200 404 200",
        {"name": "Pot"},
    ),
    Route("DELETE /products/{product_id}", "401 401 403 403 204 404 204"),
    Route(
        "POST /products/{product_id}/variants",
        "401 401 403 403 200 404 200",
        VARIANT,
    ),
    Route(
        "PUT /products/{product_id}/variants/{sku}",
        "401 401 403 403 200 404 200",
        {"sku": "{sku}", "price": PRICE, "options": {"Kind": "{sku}"}},
    ),
    Route(
        "DELETE /products/{product_id}/variants/{sku}",
        "401 401 403 403 204 404 204",
    ),
    Route(
        "POST /products/{product_id}/images",
        "401 401 403 403 200 422 200",  # the picture is not the foreign seller's
        {"file_id": "{picture_id}"},
    ),
    Route(
        "DELETE /products/{product_id}/images/{file_id}",
        "401 401 403 403 204 404 204",
    ),
    Route(
        "PATCH /products/{product_id}/images/{file_id}",
        "401 401 403 403 200 404 200",
        {"alt": "From above"},
    ),
    Route("POST /products/{product_id}/restore", "401 401 403 403 200 404 200"),
    Route("GET /products/{product_id}/prices", "401 401 403 403 200 404 200"),
    Route("POST /products/import", "401 401 403 403 202 202 202", SHEET),
    Route("GET /products/import/{import_id}", "401 401 403 403 200 404 200"),
    Route("GET /products/export", "401 401 403 403 200 200 200"),
    Route("GET /products/{product_id}/reviews", "200 200 200 200 200 200 200"),
    Route(
        "POST /products/{product_id}/reviews",
        "401 401 201 201 403 201 201",  # not of one's own goods
        REVIEW,
    ),
    Route("GET /reviews", "401 401 403 403 403 403 200"),
    Route(
        "PUT /reviews/{review_id}/moderation",
        "401 401 403 403 403 403 200",
        VERDICT,
    ),
    Route("GET /categories", "200 200 200 200 200 200 200"),
    Route("POST /categories", "401 401 403 403 403 403 201", CATEGORY),
    Route("PUT /categories/{category_id}", "401 401 403 403 403 403 200", CATEGORY),
    Route("DELETE /categories/{category_id}", "401 401 403 403 403 403 204"),
    Route("POST /upload", "401 401 201 201 201 201 201", PICTURE),
    Route("GET /files/{file_id}", "404 404 200 404 404 404 200"),
    Route("GET /files/{file_id}/content", "404 404 200 404 404 404 200"),
    Route("DELETE /files/{file_id}", "401 401 204 404 404 404 204"),
)
