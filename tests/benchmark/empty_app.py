"""An empty Typer application: one command, no work. The least that a command line on Typer costs."""

import typer

app = typer.Typer()


@app.command()
def main() -> None:
    pass
