"""Write data/company_report.pdf from data/company_report.md."""

from pathlib import Path

from llmft.world import write_pdf

DATA = Path(__file__).parent.parent / "data"

if __name__ == "__main__":
    print(
        write_pdf(
            (DATA / "company_report.md").read_text(encoding="utf-8"), DATA / "company_report.pdf"
        )
    )
