from service.domains.results.diagnostics import (
    CashLadderBreach as CashLadderBreach,
)
from service.domains.results.diagnostics import (
    CashLadderPoint as CashLadderPoint,
)
from service.domains.results.diagnostics import (
    DataQuality as DataQuality,
)
from service.domains.results.diagnostics import (
    DiagnosticsData as DiagnosticsData,
)
from service.domains.results.diagnostics import (
    DroppedIntent as DroppedIntent,
)
from service.domains.results.diagnostics import (
    FundingPlanEntry as FundingPlanEntry,
)
from service.domains.results.diagnostics import (
    GroupConstraintEvent as GroupConstraintEvent,
)
from service.domains.results.diagnostics import (
    InsufficientCashEntry as InsufficientCashEntry,
)
from service.domains.results.diagnostics import (
    SuppressedIntent as SuppressedIntent,
)
from service.domains.results.diagnostics import (
    TaxBudgetConstraintEvent as TaxBudgetConstraintEvent,
)
from service.domains.results.diagnostics import (
    WarningCode as WarningCode,
)
from service.domains.results.gates import (
    Gate as Gate,
)
from service.domains.results.gates import (
    GateDecision as GateDecision,
)
from service.domains.results.gates import (
    GateDecisionSummary as GateDecisionSummary,
)
from service.domains.results.gates import (
    GateReason as GateReason,
)
from service.domains.results.gates import (
    GateStep as GateStep,
)
from service.domains.results.intents import (
    INTENT_TYPE as INTENT_TYPE,
)
from service.domains.results.intents import (
    Dependencies as Dependencies,
)
from service.domains.results.intents import (
    FxSpotIntent as FxSpotIntent,
)
from service.domains.results.intents import (
    Intent as Intent,
)
from service.domains.results.intents import (
    IntentId as IntentId,
)
from service.domains.results.intents import (
    IntentRationale as IntentRationale,
)
from service.domains.results.intents import (
    SecurityTradeIntent as SecurityTradeIntent,
)
from service.domains.results.intents import (
    TradeSide as TradeSide,
)
from service.domains.results.rebalances import (
    BatchScenarioMetric as BatchScenarioMetric,
)
from service.domains.results.rebalances import (
    LineageData as LineageData,
)
from service.domains.results.rebalances import (
    RebalanceResult as RebalanceResult,
)
from service.domains.results.rebalances import (
    Reconciliation as Reconciliation,
)
from service.domains.results.rebalances import (
    TaxImpact as TaxImpact,
)
from service.domains.results.rules import (
    RuleId as RuleId,
)
from service.domains.results.rules import (
    RuleReasonCode as RuleReasonCode,
)
from service.domains.results.rules import (
    RuleResult as RuleResult,
)
from service.domains.results.states import (
    AllocationMetric as AllocationMetric,
)
from service.domains.results.states import (
    PositionSummary as PositionSummary,
)
from service.domains.results.states import (
    SimulatedState as SimulatedState,
)
from service.domains.results.targets import (
    ExcludedInstrument as ExcludedInstrument,
)
from service.domains.results.targets import (
    Explanation as Explanation,
)
from service.domains.results.targets import (
    TargetData as TargetData,
)
from service.domains.results.targets import (
    TargetInstrument as TargetInstrument,
)
from service.domains.results.targets import (
    TargetMethodComparison as TargetMethodComparison,
)
from service.domains.results.targets import (
    UniverseCoverage as UniverseCoverage,
)
from service.domains.results.targets import (
    UniverseData as UniverseData,
)
from service.domains.results.values import (
    InstrumentId as InstrumentId,
)
from service.domains.results.values import (
    RunStatusText as RunStatusText,
)
from service.domains.results.values import (
    Severity as Severity,
)
from service.domains.results.values import (
    Value as Value,
)
