"""How Alembic reaches the database: through the connection that ``andon.datasets.store.upgrade`` hands over."""

from alembic import context

from andon.datasets.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=context.config.attributes["connection"].dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
