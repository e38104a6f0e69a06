package store_test

import (
	"testing"
)

// conformance is what both dialects must pass. Every part gets a fresh database.
func conformance(t *testing.T, open func(t testing.TB) *fixture) {
	for name, part := range map[string]func(t *testing.T, f *fixture){
		"ledger": testLedger, "pruning": testPruning, "signals": testSignals, "bad signal": testBadSignal,
		"order and pages": testOrder, "tiers and cursors": testCursors, "isolation": testIsolation, "modes": testModes,
		"detail": testDetail, "newest identity": testNewestIdentity, "last signal": testLastSignal,
		"identities at rest": testAtRest, "erasure": testErasure, "erased key": testErasedKey, "rollback": testRollback,
		"writers of one customer": testWriters, "erasing while writing": testEraseRace, "erasing waits": testEraseWaits, "due": testDue,
		"failed": testFailed, "pages of failed": testFailedPages, "history": testHistory, "coming back": testReopen, "large batch": testLargeBatch,
		"account erasure": testEraseAccount, "account erasure waits": testEraseAccountWaits,
		"account erasure and scheduler": testEraseAccountAndDue,
		"matching":                      testMatching, "shared profiles": testSharedProfiles, "profiles at rest": testProfilesAtRest,
		"profile of rows": testProfileOfRows, "rematches": testRematches, "models": testModels, "many models": testManyModels, "model erasure": testModelErasure, "model runs": testModelRuns,
		"made due": testMakeDue, "histories": testHistories, "model and batch": testModelAndBatch, "changes": testChanges, "bounded count": testBoundedCount, "trend": testTrend, "score history": testScoreHistory,
		"audit": testAudit, "inventory": testInventory,
		"filters": testFilters, "least by currency": testLeastByCurrency, "search at rest": testSearchAtRest, "search of older rows": testSearchOfOlderRows,
		"migrated search": testMigratedSearch, "search order": testSearchOrder, "unchanged identity": testUnchangedIdentity,
		"totals":  testTotals,
		"dossier": testDossier, "deliveries": testDeliveries, "delivery log": testDeliveryLog, "several deliverers": testDeliverers, "threshold": testThreshold,
		"import": testImport, "bad imports": testBadImports, "dead import": testDeadImport, "erased import": testErasedImport,
		"deleted profiles": testDeleteProfiles, "last profile deleted": testLastProfileDeleted, "review": testReview, "rejection": testRejection, "rejection leaves others": testRejectionLeavesOthers,
		"refused decisions": testRefusedDecisions, "list of matches": testMatchList, "decisions on test data": testDecideOnTestData,
	} {
		t.Run(name, func(t *testing.T) { part(t, open(t)) })
	}
}

func TestSQLite(t *testing.T) { conformance(t, newSQLite) }
