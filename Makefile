.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lab lab-status lab-down lab-reset ui doctor check bench bench-demo bench-tests \
	package environment deploy verify rollback destroy

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## run the whole pipeline on this machine, print its ledger, write build/report/
	@bin/lab demo

test: ## run every test, those on a lab of their own included
	@bin/lab test

test-fast: ## run the quick tests: no lab, no Java, no download, in a minute and a half
	@bin/lab test-fast

lab: ## start the lab, and install what it needs
	@bin/lab up

lab-status: ## show the lab's services
	@bin/lab status

lab-down: ## stop the lab, keep its data
	@bin/lab down

lab-reset: ## stop the lab and wipe its data
	@bin/lab reset

ui: ## Airflow's UI on the lab, until Ctrl-C
	@bin/lab ui

TARGET = lab
doctor: ## list everything that is missing or wrong, each with its fix; TARGET=account: in the account of ENV_FILE
	@bin/doctor $(TARGET) $(ROLE)

check: ## lint, format, types, shell scripts
	@bin/lab check

bench: ## benchmarks of posting, the lake and the stream
	@bin/lab bench

bench-demo: ## what the demo costs in a fresh clone: time, memory, disk
	@bin/lab bench-demo

bench-tests: ## run every test, and show what each suite and the slowest tests cost
	@bin/lab bench-tests

package: ## write what is uploaded to MWAA to build/mwaa/, and print how
	@bin/mwaa package

environment: ## make an MWAA environment, with all it needs: USER_ID=… [STACK=…] [PARAMETERS="MaxWorkers=2 …"]
	@bin/mwaa environment $(STACK:%=--stack=%) $(USER_ID:%=UserId=%) $(PARAMETERS)

deploy: ## upload to MWAA, update it, verify; else put back what was there: [ENVIRONMENT=…] [SECRETS=file]
	@bin/mwaa deploy $(ENVIRONMENT:%=--environment=%) $(SECRETS:%=--secrets=%)

verify: ## look whether MWAA runs this checkout, and has what it needs: [ENVIRONMENT=…]
	@bin/mwaa verify $(ENVIRONMENT:%=--environment=%)

rollback: ## put back the release before the current one on MWAA: [ENVIRONMENT=…]
	@bin/mwaa rollback $(ENVIRONMENT:%=--environment=%)

destroy: ## remove the stack of the MWAA environment, and say what is left: [STACK=…] [DELETE_BUCKET=…]
	@bin/mwaa destroy $(STACK:%=--stack=%) $(DELETE_BUCKET:%=--delete-bucket=%)
